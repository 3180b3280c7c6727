//! The books of a replay, kept from the events alone and compared with what everyone says.
//!
//! The [`audit`] follows every change of the store and rebuilds it in [`copy`]. From the changes
//! it keeps, for itself, who holds which room; at every version it checks that no node is over
//! capacity and that each node's own account of its use is right. At the end the copy must be
//! equal to the store, object by object, and what each agent has seen must be what the audit saw
//! of its node.

pub mod audit;
pub mod copy;
pub mod fault;
pub mod history;
pub mod rooms;
#[cfg(test)]
mod tests;
