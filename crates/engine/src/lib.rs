//! One pure engine per account and symbol: facts, mode, intent, clearance, actions
