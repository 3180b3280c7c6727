//! What tests of programs on a store need: a proposer that behaves as badly as a real one may, and
//! a proof that what threads did was strictly serializable ([`history`]).
//!
//! With the feature `testing` only; nothing of it is part of a store.
//!
//! ```
//! use std::time::Duration;
//! use skep::testing::TestProposer;
//! use skep::{CommitError, Store, Version};
//! # use skep::{Id, Indexes, Object};
//! # #[derive(Clone)] struct Task { id: Id }
//! # impl Object for Task {
//! #     type Key = Id;
//! #     const TABLE: &'static str = "task";
//! #     fn key(&self) -> Id { self.id }
//! #     fn indexes(_: &mut Indexes<Self>) {}
//! # }
//!
//! let proposer = TestProposer::new();
//! let store = Store::builder().table::<Task>().proposer(proposer.clone()).build();
//! store.update(|tx| tx.create(Task { id: Id::from_u128(1) }))?;
//! assert_eq!(store.proposed_version(store.version()), Some(Version::new(3)));
//!
//! // Kept, until the test says what becomes of it.
//! proposer.hold();
//! let mut tx = store.begin();
//! tx.delete::<Task>(&Id::from_u128(1))?;
//! let submission = tx.submit()?;
//! assert!(store.read().get::<Task>(&Id::from_u128(1)).is_some());
//! proposer.lose_leadership();
//! assert_eq!(submission.wait(), Err(CommitError::LostLeadership));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

pub mod history;
mod proposer;
mod rough;

pub use self::proposer::TestProposer;
pub use self::rough::Rough;
