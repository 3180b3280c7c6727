//! Objects that are kept while a transaction writes them, so that it may be run again: those of a
//! file, which is read once.

use std::cell::RefCell;

use super::Transaction;
use super::buffer::State;
use super::restore::Stamp;
use crate::kernel::draft::Draft;
use crate::kernel::node::Words;
use crate::kernel::reading::Handle;
use crate::table::object::Object;

/// An object to be written, kept for as many attempts as that takes. It is copied only for the
/// second one.
pub(crate) struct Kept<T> {
    words: Words,
    keeping: RefCell<Keeping<T>>,
}

enum Keeping<T> {
    /// Not tried yet.
    Draft(Draft<T>),
    /// An attempt has the draft, or had it.
    Share(Handle<T>),
}

impl<T: Clone> Kept<T> {
    pub(crate) fn new(words: Words, object: T) -> Self {
        let draft = Draft::new(words, || object);
        Self {
            words,
            keeping: RefCell::new(Keeping::Draft(draft)),
        }
    }

    /// Has the processor fetch what an attempt begins with.
    pub(crate) fn prefetch(&self) {
        if let Keeping::Draft(draft) = &*self.keeping.borrow() {
            draft.prefetch_beside();
        }
    }

    /// What an attempt writes.
    fn take(&self) -> Draft<T> {
        let mut kept = self.keeping.borrow_mut();
        let share = match &mut *kept {
            Keeping::Draft(draft) => draft.share(),
            Keeping::Share(share) => return Draft::copy(self.words, share.object()),
        };
        match std::mem::replace(&mut *kept, Keeping::Share(share)) {
            Keeping::Draft(draft) => draft,
            Keeping::Share(share) => Draft::copy(self.words, share.object()),
        }
    }
}

impl Transaction<'_> {
    /// Puts an object, or nothing, under its key, in a table that is read whole; not judged, as
    /// by [`Transaction::put_unjudged`]. Tells whether there was one.
    pub(crate) fn put_kept<T: Object>(
        &mut self,
        key: &T::Key,
        wanted: Option<(&Kept<T>, Stamp)>,
    ) -> bool {
        let (seen, _) = self.see_untracked::<T>(key);
        let present = seen.present;
        let state = match wanted {
            Some((kept, stamp)) => {
                let draft = kept.take();
                if let Some(version) = stamp.proposed {
                    draft.set_proposed(version);
                }
                let state = State::Object(draft, Some(stamp.times.created));
                (state, Some(stamp.times.updated))
            }
            None if present => (State::Nothing, None),
            None => return false,
        };
        self.record::<T>(key.clone(), seen, state);
        present
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn each_attempt_gets_the_object_and_only_the_second_copies_it() {
        let object = Arc::new(vec![7]);
        let kept = Kept::new(Words::Number, Arc::clone(&object));
        let first = kept.take();
        assert_eq!(Arc::strong_count(&object), 2);
        // The attempt fails: what it had goes, and the object stays.
        drop(first);
        assert_eq!(Arc::strong_count(&object), 2);
        let mut second = kept.take();
        assert_eq!((&*second, Arc::strong_count(&object)), (&object, 3));
        // A copy is its writer's alone.
        *second = Arc::default();
        assert_eq!(**kept.take(), [7]);
        drop((kept, second));
        assert_eq!(Arc::strong_count(&object), 1);
    }
}
