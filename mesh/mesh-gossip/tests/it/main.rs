//! The carrier on chitchat against the suite of carriers, and membership over real links.

mod carriers;
mod cluster;
mod scene;
