//! What is delivered: a change, shared by all watchers that it was delivered to; and the changes of
//! an object that follow one another, made one.

use std::collections::HashMap;
use std::sync::Arc;

use crate::kernel::mailbox::{Letter, Mailbox, Since};
use crate::kernel::post::Post;
use crate::kernel::reading::AnyHandle;

impl Letter for Arc<Post> {
    fn bytes(&self) -> u64 {
        Post::bytes(self).saturating_add(Mailbox::<Self>::BYTES_A_LETTER)
    }

    fn version(&self) -> u64 {
        self.version.get()
    }

    fn since(&self) -> Since {
        Since {
            version: self.since.get(),
            at: self.since_at,
        }
    }

    /// Changes of an object follow one another if what the one made is what the other found.
    fn coalesce(letters: &mut Vec<Self>) {
        let mut kept: Vec<Option<Self>> = Vec::with_capacity(letters.len());
        let mut made: HashMap<usize, usize> = HashMap::new();
        for letter in letters.drain(..) {
            let before = address(&letter.old).and_then(|found| made.remove(&found));
            let joined = match before.and_then(|at| kept[at].take()) {
                Some(older) => older.then(&letter),
                None => Some(letter),
            };
            if let Some(image) = joined.as_ref().and_then(|post| address(&post.new)) {
                made.insert(image, kept.len());
            }
            kept.push(joined);
        }
        letters.extend(kept.into_iter().flatten());
    }
}

/// Tells an image from every other one, while the change lives.
fn address(image: &Option<AnyHandle>) -> Option<usize> {
    image.as_ref().map(AnyHandle::address)
}
