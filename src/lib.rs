//! Homeward: an owner states; everybody else may only ask.
//!
//! The rooms of the house, in the order a datum passes through them. What is `pub` here is what a connector of one's own
//! needs (see `examples/connector.rs`), and nothing else.

pub mod connector;
pub mod model;
pub mod wire;

mod lab;
mod state;
