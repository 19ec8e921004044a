//! Exchange protocols without sockets: codecs, signing, filters and the session state machine
