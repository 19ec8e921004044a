//! What is allowed: pre-flight checks and the gate every intent must pass
