//! Carries out an exchange session on real sockets; decides nothing
