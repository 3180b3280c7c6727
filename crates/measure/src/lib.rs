//! What the benches, the comparison and the soak measure with.
//!
//! | module | what |
//! |---|---|
//! | [`clock`] | what time is: the wall clock's, or that which a thread ran |
//! | [`figures`] | the middle of several rounds' figures, and how far they lie apart |
//! | [`memory`] | an allocator that counts |
//! | [`origin`] | where figures come from: the machine, the date, the command |
//! | [`team`] | threads that begin together |
//! | [`timer`] | a timer that knows what it takes itself |
//! | [`times`] | how long single operations took, each counted |

pub mod clock;
pub mod figures;
pub mod memory;
pub mod origin;
pub mod team;
pub mod timer;
pub mod times;
