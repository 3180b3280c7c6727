//! Where a version leads: the word that says so, its tags, and what becomes of it.

use super::chain::List;
use super::node::VersionHeader;

/// The tag of a word that leads to a list.
const LIST: usize = 1;
/// The tag of a word that the collection of the version's own commit is done with: the version
/// above may take it over.
pub(super) const SETTLED: usize = 2;
/// The tag of one whose link the version above has taken over.
pub(super) const HANDED_ON: usize = 4;
const TAGS: usize = LIST | SETTLED | HANDED_ON;

/// Where a version leads.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Older {
    End,
    One(*mut VersionHeader),
    List(*mut List),
}

/// What became of passing a version by.
#[derive(Debug)]
pub(super) enum Passed {
    /// It is out of the chain; the link to it is the caller's. Whether the version above is settled
    /// with it.
    By { settled: bool },
    /// It may not be passed by, or was cut.
    Not,
    /// The version above was cut meanwhile: what was taken over is the caller's.
    Cut(Older),
}

impl Older {
    pub(super) fn unpack(word: *mut ()) -> Self {
        let leads_to = word.map_addr(|address| address & !TAGS);
        if leads_to.is_null() {
            Self::End
        } else if word.addr() & LIST == 0 {
            Self::One(leads_to.cast())
        } else {
            Self::List(leads_to.cast())
        }
    }

    /// What is below a version that is no longer in a chain: nothing of which the link was handed
    /// on.
    pub(super) fn left(word: *mut ()) -> Self {
        if word.addr() & HANDED_ON == 0 {
            Self::unpack(word)
        } else {
            Self::End
        }
    }

    pub(super) fn pack(self) -> *mut () {
        match self {
            Self::End => std::ptr::null_mut(),
            Self::One(version) => version.cast(),
            Self::List(list) => list.cast::<()>().map_addr(|address| address | LIST),
        }
    }
}
