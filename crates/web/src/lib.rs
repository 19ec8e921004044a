//! The HTTP API, WebSocket updates and the embedded dashboard
