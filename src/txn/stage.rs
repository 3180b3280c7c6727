//! Stage: everything that the commit needs is put in place, seen by nobody.

use std::iter::Peekable;
use std::vec::IntoIter;

use smallvec::SmallVec;

use super::Transaction;
use super::buffer::Staging;
use super::workspace::Workspace;
use crate::error::CommitError;
use crate::kernel::Kernel;
use crate::kernel::figures::Figure;
use crate::kernel::prepared::Prepared;
use crate::kernel::stage::Staged;
use crate::kernel::step::{Step, step};
use crate::kernel::time;
use crate::version::Version;

/// Writes from which on new objects are put in place all at once, index by index.
const AT_ONCE_MIN: usize = 64;

/// Of each table the new objects in place, by their places among its writes.
type InPlace = SmallVec<[Peekable<IntoIter<(usize, Staged)>>; 12]>;

impl<'s> Transaction<'s> {
    /// Puts the writes in place. Runs index functions and the order of keys and values; a panic in
    /// one undoes what was done.
    #[inline(always)]
    pub(super) fn stage(&mut self) -> Result<Option<Prepared<'s>>, CommitError> {
        let kernel = self.shared.kernel();
        if self.work.order.is_empty() {
            return Ok(None);
        }
        let line = kernel.domain.registry().line();
        line.count(Figure::Attempts);
        let to = Staging {
            kernel,
            reading: self.hold.reading(),
            now: time::now(),
        };
        let mut prepared = Prepared::new(kernel, line);
        let work = &mut *self.work;
        let newer = |number| CommitError::Conflict {
            with: Version::new(number),
        };
        let mut in_place = match work.order.len() {
            AT_ONCE_MIN.. => stage_new(work, &to, kernel).map_err(newer)?,
            _ => InPlace::new(),
        };
        for &(table, at) in &work.order {
            let table = usize::from(table);
            let Some(buffer) = work.buffers[table].get_mut() else {
                continue;
            };
            if !in_place.is_empty() {
                // Many writes: what they leave would pile up, else.
                kernel.collect_sometimes();
            }
            let own = in_place.get_mut(table);
            if let Some((_, staged)) = own.and_then(|own| own.next_if(|(own, _)| *own == at)) {
                prepared.add(staged);
                continue;
            }
            match buffer.stage(at, &to, kernel.table(table).as_any()) {
                None => {}
                Some(Ok(staged)) => prepared.add(staged),
                Some(Err(number)) => return Err(newer(number)),
            }
        }
        step(Step::Staged);
        Ok((!prepared.is_empty()).then_some(prepared))
    }
}

/// Puts all new objects of all tables in place; `Err`: something has moved on since the snapshot.
#[inline(never)]
fn stage_new(work: &mut Workspace, to: &Staging<'_>, kernel: &Kernel) -> Result<InPlace, u64> {
    let buffers = work.buffers.iter_mut().enumerate();
    let in_place = buffers.map(|(table, buffer)| match buffer.get_mut() {
        Some(buffer) => buffer.stage_new(to, kernel.table(table).as_any()),
        None => Ok(Vec::new()),
    });
    let in_place = in_place.map(|staged| Ok(staged?.into_iter().peekable()));
    in_place.collect()
}
