//! Bounded storage of orders, fills, slots and equity on SQLite or PostgreSQL
