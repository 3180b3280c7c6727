//! What is delivered: a change, shared by all watchers that it was delivered to.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use super::event::AnyChange;
use crate::kernel::commit::Write;
use crate::kernel::mailbox::Letter;
use crate::kernel::reclaim::Guard;
use crate::table::schema::Schema;
use crate::version::Version;

/// A change, and how much memory it keeps.
#[derive(Debug)]
pub(crate) struct Post {
    pub(super) change: AnyChange,
    pub(super) written_at: SystemTime,
    bytes: u64,
}

impl Post {
    /// Of a write of a commit, that is pinned.
    pub(super) fn of(
        guard: &Guard<'_>,
        schema: &Schema,
        version: Version,
        write: &Write,
    ) -> Arc<Self> {
        let table = schema.kernel().table(usize::from(write.table));
        let (old, new) = table.images(guard, write);
        Arc::new(Self {
            change: AnyChange {
                table: table.name(),
                since: version,
                version,
                old,
                new,
            },
            written_at: write.written_at(guard),
            bytes: size_of::<Self>() as u64 + write.bytes(guard),
        })
    }

    /// This change and one that comes right after it of the same object; `None`: the object was not
    /// there before, and is not after it.
    fn then(&self, next: &Self) -> Option<Arc<Self>> {
        let change = self.change.then(&next.change)?;
        Some(Arc::new(Self {
            change,
            written_at: next.written_at,
            bytes: self.bytes.max(next.bytes),
        }))
    }
}

impl Letter for Arc<Post> {
    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn version(&self) -> u64 {
        self.change.version.get()
    }

    /// Changes of an object follow one another if what the one made is what the other found.
    fn coalesce(letters: &mut Vec<Self>) {
        let mut kept: Vec<Option<Self>> = Vec::with_capacity(letters.len());
        let mut made: HashMap<usize, usize> = HashMap::new();
        for letter in letters.drain(..) {
            let before = letter.change.found().and_then(|found| made.remove(&found));
            let joined = match before.and_then(|at| kept[at].take()) {
                Some(older) => older.then(&letter),
                None => Some(letter),
            };
            if let Some(image) = joined.as_ref().and_then(|post| post.change.made()) {
                made.insert(image, kept.len());
            }
            kept.push(joined);
        }
        letters.extend(kept.into_iter().flatten());
    }
}
