//! Stage: everything that the commit needs is put in place, seen by nobody.

use std::iter::Peekable;
use std::vec::IntoIter;

use smallvec::SmallVec;

use super::Transaction;
use super::buffer::Staging;
use super::workspace::{Buffers, Workspace};
use crate::error::CommitError;
use crate::kernel::prepared::Prepared;
use crate::kernel::stage::bulk::Staged;
use crate::kernel::step::{Step, step};
use crate::kernel::time;
use crate::version::Version;

/// Writes from which on new objects are put in place all at once, index by index.
const AT_ONCE_MIN: usize = if cfg!(shuttle) { 3 } else { 64 };

/// Of each table the new objects in place, by their places among its writes.
type InPlace = SmallVec<[Peekable<IntoIter<(usize, Staged)>>; 12]>;

impl<'s> Transaction<'s> {
    /// Puts the writes in place. Runs index functions and the order of keys and values; a panic in
    /// one undoes what was done.
    #[inline(always)]
    pub(super) fn stage(&mut self, prepared: &mut Prepared<'s>) -> Result<(), CommitError> {
        let kernel = prepared.kernel();
        let to = Staging {
            kernel,
            reading: self.hold.reading(),
            now: time::now(),
        };
        let work = &mut *self.work;
        let staged = match work.order.len() {
            AT_ONCE_MIN.. => stage_at_once(work, &to, prepared),
            _ => stage_each(work, &to, prepared),
        };
        staged.map_err(|number| CommitError::Conflict {
            with: Version::new(number),
        })?;
        step(Step::Staged);
        Ok(())
    }
}

/// Puts one write after the other in place; `Err`: something has moved on since the snapshot.
#[inline(always)]
fn stage_each(
    work: &mut Workspace,
    to: &Staging<'_>,
    prepared: &mut Prepared<'_>,
) -> Result<(), u64> {
    for &write in &work.order {
        stage_one(&mut work.buffers, write, to, prepared)?;
    }
    Ok(())
}

#[inline(always)]
fn stage_one(
    buffers: &mut Buffers,
    (table, at): (u16, usize),
    to: &Staging<'_>,
    prepared: &mut Prepared<'_>,
) -> Result<(), u64> {
    let table = usize::from(table);
    if let Some(buffer) = buffers[table].get_mut() {
        buffer.stage(at, to, to.kernel.table(table), prepared)?;
    }
    Ok(())
}

/// The same of many: the new objects first, all at once.
#[inline(never)]
fn stage_at_once(
    work: &mut Workspace,
    to: &Staging<'_>,
    prepared: &mut Prepared<'_>,
) -> Result<(), u64> {
    let mut in_place = stage_new(work, to)?;
    for &(table, at) in &work.order {
        // What they leave would pile up, else.
        to.kernel.collect_sometimes_on(prepared.line());
        let own = in_place.get_mut(usize::from(table));
        match own.and_then(|own| own.next_if(|(own, _)| *own == at)) {
            Some((_, staged)) => staged.add_to(prepared),
            None => stage_one(&mut work.buffers, (table, at), to, prepared)?,
        }
    }
    Ok(())
}

/// Puts all new objects of all tables in place; `Err`: something has moved on since the snapshot.
fn stage_new(work: &mut Workspace, to: &Staging<'_>) -> Result<InPlace, u64> {
    let buffers = work.buffers.iter_mut().enumerate();
    let in_place = buffers.map(|(table, buffer)| match buffer.get_mut() {
        Some(buffer) => buffer.stage_new(to, to.kernel.table(table)),
        None => Ok(Vec::new()),
    });
    let in_place = in_place.map(|staged| Ok(staged?.into_iter().peekable()));
    in_place.collect()
}
