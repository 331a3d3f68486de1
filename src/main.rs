//! One command line over the agent, the processor and the tuning tools.
fn main() {}
