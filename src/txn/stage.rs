//! Stage: everything that the commit needs is put in place, seen by nobody.

use smallvec::SmallVec;

use super::Transaction;
use super::buffer::Staging;
use crate::error::CommitError;
use crate::kernel::prepared::Prepared;
use crate::version::{Moment, Version};

impl<'s> Transaction<'s> {
    /// Puts the writes in place. Runs index functions and the order of keys and values; a panic in
    /// one undoes what was done.
    pub(super) fn stage(&mut self) -> Result<Option<Prepared<'s>>, CommitError> {
        let kernel = self.shared.kernel();
        let to = Staging {
            kernel,
            reading: self.hold.reading(),
            now: Moment::now(),
        };
        let mut staged = SmallVec::new();
        for &(table, at) in &self.order {
            let table = usize::from(table);
            let Some(buffer) = self.buffers[table].get_mut() else {
                continue;
            };
            match buffer.stage(at, &to, kernel.table(table).as_any()) {
                None => {}
                Some(Ok(write)) => staged.push(write),
                Some(Err(newer)) => {
                    return Err(CommitError::Conflict {
                        with: Version::new(newer),
                    });
                }
            }
        }
        Ok((!staged.is_empty()).then(|| Prepared::new(kernel, staged)))
    }
}
