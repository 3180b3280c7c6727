//! Errors that hold a closure's: given as one of the closure's own type, where that takes any.
//!
//! [`Box<dyn Error>`](std::error::Error) and types like it are made from every error and are none
//! themselves; so neither is an [`UpdateError`] that holds one, and `?` does not take it.

use std::convert::Infallible;

use super::{DeferredError, UpdateError};

impl<E> UpdateError<E> {
    /// The closure's own error, or whatever else it was as an error of that type: for closures that
    /// fail with an error of any type, so that `?` passes on what an update fails with.
    ///
    /// ```
    /// use std::error::Error;
    /// use skep::{Id, Object, Store, UpdateError};
    ///
    /// #[derive(Clone, Object)]
    /// struct Task {
    ///     #[object(key)]
    ///     id: Id,
    ///     slot: u64,
    /// }
    ///
    /// fn create(store: &Store, slot: &str) -> Result<(), Box<dyn Error>> {
    ///     let created = store.update(|tx| -> Result<(), Box<dyn Error>> {
    ///         let slot = slot.parse()?;
    ///         tx.create(Task { id: Id::random(), slot })?;
    ///         Ok(())
    ///     });
    ///     created.map_err(UpdateError::flatten)?;
    ///     Ok(())
    /// }
    ///
    /// let store = Store::builder().table::<Task>().build();
    /// create(&store, "7")?;
    /// assert!(create(&store, "seven").is_err_and(|error| error.is::<std::num::ParseIntError>()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn flatten(self) -> E
    where
        E: From<UpdateError<Infallible>>,
    {
        let other = match self {
            Self::Closure(error) => return error,
            Self::Conflict { attempts } => UpdateError::Conflict { attempts },
            Self::Rejected(rejected) => UpdateError::Rejected(rejected),
            Self::Duplicate(duplicate) => UpdateError::Duplicate(duplicate),
            Self::TooOld { snapshot, oldest } => UpdateError::TooOld { snapshot, oldest },
            Self::TooLarge {
                changes,
                changes_max,
            } => UpdateError::TooLarge {
                changes,
                changes_max,
            },
            Self::TooManyBytes { bytes, bytes_max } => {
                UpdateError::TooManyBytes { bytes, bytes_max }
            }
            Self::TooManyReads { reads_max } => UpdateError::TooManyReads { reads_max },
            Self::TooManyObjects { objects_max } => UpdateError::TooManyObjects { objects_max },
            Self::Refused { reason } => UpdateError::Refused { reason },
            Self::LostLeadership => UpdateError::LostLeadership,
            Self::Stopped => UpdateError::Stopped,
        };
        E::from(other)
    }
}

impl<E> DeferredError<E> {
    /// As [`UpdateError::flatten`].
    pub fn flatten(self) -> E
    where
        E: From<DeferredError<Infallible>>,
    {
        let other = match self {
            Self::Closure(error) => return error,
            Self::Rejected(rejected) => DeferredError::Rejected(rejected),
            Self::Duplicate(duplicate) => DeferredError::Duplicate(duplicate),
        };
        E::from(other)
    }
}
