//! Stage: everything that the commit needs is put in place, seen by nobody.

use super::Transaction;
use super::buffer::Staging;
use crate::error::CommitError;
use crate::kernel::prepared::Prepared;
use crate::kernel::step::{Step, step};
use crate::kernel::time;
use crate::version::Version;

impl<'s> Transaction<'s> {
    /// Puts the writes in place. Runs index functions and the order of keys and values; a panic in
    /// one undoes what was done.
    #[inline(always)]
    pub(super) fn stage(&mut self) -> Result<Option<Prepared<'s>>, CommitError> {
        let kernel = self.shared.kernel();
        if self.work.order.is_empty() {
            return Ok(None);
        }
        let to = Staging {
            kernel,
            reading: self.hold.reading(),
            now: time::now(),
        };
        let mut prepared = Prepared::new(kernel);
        let work = &mut *self.work;
        for &(table, at) in &work.order {
            let table = usize::from(table);
            let Some(buffer) = work.buffers[table].get_mut() else {
                continue;
            };
            match buffer.stage(at, &to, kernel.table(table).as_any()) {
                None => {}
                Some(Ok(write)) => prepared.add(write),
                Some(Err(newer)) => {
                    return Err(CommitError::Conflict {
                        with: Version::new(newer),
                    });
                }
            }
        }
        step(Step::Staged);
        Ok((!prepared.is_empty()).then_some(prepared))
    }
}
