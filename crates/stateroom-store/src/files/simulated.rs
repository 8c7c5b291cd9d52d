//! todo
#[derive(Debug)]
pub struct SimFiles;
#[derive(Debug)]
pub struct Chances;
