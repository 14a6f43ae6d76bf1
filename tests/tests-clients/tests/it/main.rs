//! Stock clients at work while servers are lost.

mod helm;
mod kubectl;
mod loss;
mod text;
mod tools;
