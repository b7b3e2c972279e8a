//! The core by itself: what a key does to the state, and what the state looks like.

mod keys;
mod sample;
mod screens;
mod targets;
