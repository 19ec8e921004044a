//! Made-up worlds: a price-time matching engine, market generators and replay
