//! A local exchange that speaks real exchange protocols on loopback
