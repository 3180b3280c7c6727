//! What a proposer still has of what the log has not any more: the beginning of a watch from an
//! older version.
//!
//! What it gives is compared with what it accepted here: all of that, in order, and nothing else,
//! but for entries without writes, of which there may be more. So whatever it gives, nothing is
//! left out and nothing comes twice; if it is not the same, it is as if it had nothing. An update
//! or a deletion without the old object cannot be told: it has all from there on only.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use super::event::{AnyChange, Event};
use super::fetched::{EVENTS_A_RUN, Fetched};
use super::filter::Filter;
use super::log::FromLog;
use crate::kernel::Kernel;
use crate::kernel::post::Post;
use crate::propose::line::Line;
use crate::propose::numbering::Accepted;
use crate::propose::sets::{Image, ProposedWrite};
use crate::propose::{ChangesError, ProposedChange};
use crate::shared::Shared;
use crate::table::schema::Schema;
use crate::version::Version;

/// Commits that the proposer had, up to where the log goes on.
pub(super) struct Past {
    commits: VecDeque<PastCommit>,
    /// Changes in these.
    left: u64,
    /// The last commit given.
    position: u64,
    /// Where the log goes on.
    until: u64,
}

struct PastCommit {
    number: Version,
    changes: Vec<Arc<Post>>,
}

impl fmt::Debug for Past {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Past")
            .field("commits", &self.commits.len())
            .field("position", &self.position)
            .field("until", &self.until)
            .finish()
    }
}

/// What comes after a version: what only the proposer has of it, if the log does not reach so far,
/// and a cursor to the rest. `Err`: there is all of it from there on only.
pub(super) fn after(
    shared: &Shared,
    filter: &Filter,
    version: u64,
) -> Result<(Option<Past>, FromLog), u64> {
    let schema = &shared.schema;
    let oldest = match FromLog::from(schema, filter, version) {
        Ok(log) => return Ok((None, log)),
        Err(oldest) => oldest,
    };
    let line = shared.line.as_ref().ok_or(oldest)?;
    // The cursor first: from there on the log stays.
    let log = oldest_log(schema, filter, oldest);
    let past = Past::ask(line, schema.kernel(), version, log.position())?;
    Ok((Some(past), log))
}

/// A cursor to all that the log has. Each turn follows a trimming by others.
fn oldest_log(schema: &Schema, filter: &Filter, mut oldest: u64) -> FromLog {
    loop {
        match FromLog::from(schema, filter, oldest) {
            Ok(log) => return log,
            Err(newer) => oldest = newer,
        }
    }
}

impl Past {
    /// `Err`: it has all from there on only.
    fn ask(line: &Line, kernel: &Kernel, after: u64, until: u64) -> Result<Self, u64> {
        let (first, last) = (Version::new(after), Version::new(until));
        let accepted = line.accepted_between(first, last).ok_or(until)?;
        let commits = match accepted.last() {
            None => VecDeque::new(),
            Some(newest) => {
                let from = line.accepted_since(first).ok_or(until)?;
                let changes = line.proposer().changes_between(from, newest.proposed);
                let changes = changes.map_err(|error| reach(error, &accepted).unwrap_or(until))?;
                let changes = without_idle(&accepted, changes);
                if let Some(number) = last_untold(&accepted, &changes) {
                    return Err(number);
                }
                commits(kernel, &accepted, changes).ok_or(until)?
            }
        };
        let left = commits.iter().map(|commit| commit.changes.len() as u64);
        Ok(Self {
            left: left.sum(),
            commits,
            position: after,
            until,
        })
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// How many changes are still to be fetched.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// Puts the events of a run of commits into `fetched`; false: there were none left.
    pub(super) fn fetch(&mut self, filter: &Filter, fetched: &mut Fetched) -> bool {
        let before = self.position;
        let markers = filter.wants_markers() || filter.wants_every_commit();
        while fetched.len() < EVENTS_A_RUN
            && let Some(commit) = self.commits.pop_front()
        {
            self.left -= commit.changes.len() as u64;
            let left = self.commits.len() as u64 + 1;
            for change in commit.changes {
                fetched.push(Event::Change(AnyChange(change)), left);
            }
            if markers {
                fetched.push(Event::Commit(commit.number), left);
            }
            self.position = commit.number.get();
        }
        fetched.turn(before);
        if self.commits.is_empty() {
            self.position = self.until;
        }
        !fetched.is_empty()
    }
}

/// From which of the accepted commits on the proposer has all, if it said so.
fn reach(error: ChangesError, accepted: &[Accepted]) -> Option<u64> {
    let ChangesError::Compacted { oldest } = error else {
        return None;
    };
    let reached = accepted.iter().find(|it| it.proposed >= oldest);
    reached.map(|it| it.number.get())
}

/// What a proposer gave, without what changes nothing and made no commit here.
fn without_idle(accepted: &[Accepted], mut changes: Vec<ProposedChange>) -> Vec<ProposedChange> {
    let is_accepted = |change: &ProposedChange| {
        let found = accepted.binary_search_by_key(&change.version, |it| it.proposed);
        found.is_ok()
    };
    changes.retain(|change| !change.writes.writes().is_empty() || is_accepted(change));
    changes
}

/// The last commit that does something of which the object before is not known.
fn last_untold(accepted: &[Accepted], changes: &[ProposedChange]) -> Option<u64> {
    let untold = |write: &ProposedWrite| write.replaces && write.old.is_none();
    let mut commits = accepted.iter().zip(changes).rev();
    let found = commits.find(|(_, change)| change.writes.writes().iter().any(untold));
    found.map(|(accepted, _)| accepted.number.get())
}

/// What a proposer gave, if it is just what was accepted.
fn commits(
    kernel: &Kernel,
    accepted: &[Accepted],
    changes: Vec<ProposedChange>,
) -> Option<VecDeque<PastCommit>> {
    if changes.len() != accepted.len() {
        return None;
    }
    let commits = changes.into_iter().zip(accepted);
    let commits = commits.map(|(given, accepted)| {
        let change = |write| change(kernel, accepted.number, write);
        let changes: Option<_> = given.writes.writes().iter().map(change).collect();
        (given.version == accepted.proposed).then_some(PastCommit {
            number: accepted.number,
            changes: changes?,
        })
    });
    commits.collect()
}

/// A write as a change; nothing, if it is none of a table of the store.
fn change(kernel: &Kernel, number: Version, write: &ProposedWrite) -> Option<Arc<Post>> {
    let mut tables = kernel.tables.all().iter();
    let table = tables.find(|table| table.name() == write.table)?;
    let images = [&write.old, &write.new].map(|image| image.as_ref().map(Image::handle));
    if images.iter().flatten().any(|image| !table.is_of(image)) {
        return None;
    }
    let [old, new] = images.map(Option::<&_>::cloned);
    Post::of_images(table.name(), number, (old, new))
}
