//! What is wanted: trading strategies that return the set of orders they want working
