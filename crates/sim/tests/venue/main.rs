//! Scripts and random walks through the venue's public face.

mod generated;
mod properties;
mod replayed;
mod scripts;
mod world;
