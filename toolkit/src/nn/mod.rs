//! What belongs to networks and not to any one device: so far, how weights begin.

mod init;

pub use init::Init;
