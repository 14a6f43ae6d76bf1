//! Stock clients at work while servers are lost.

mod helm;
mod loss;
mod tools;
