//! The plimsoll trading bot
