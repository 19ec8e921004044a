//! What is true: slots, working orders, holdings, deduplicated fills and profit
