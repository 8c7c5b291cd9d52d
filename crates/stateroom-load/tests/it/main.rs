//! The generator, tried on servers that do their work and on servers that do not.

mod faults;
mod servers;
mod service;
