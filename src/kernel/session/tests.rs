//! Lines: how many there are when many are asked for, left and taken again.

use super::*;
use crate::sync::thread;

/// Takes `count` words of spare lines; how many lines were asked for them.
fn take_words(registry: &Registry, words: &mut Vec<*const AtomicU64>, count: usize) -> usize {
    let mut asked = 0;
    for _ in 0..count {
        let (_, word) = registry.with_spare(|line| {
            asked += 1;
            // Relaxed: nobody else is there.
            let mut free = line
                .words
                .iter()
                .filter(|word| word.load(Ordering::Relaxed) == 0);
            free.next().map(std::ptr::from_ref)
        });
        // SAFETY: L1.
        unsafe { &*word }.store(1, Ordering::Relaxed);
        words.push(word);
    }
    asked
}

#[test]
fn a_thread_that_holds_many_words_asks_few_lines_for_another() {
    let registry = Registry::new();
    let mut words = Vec::new();
    let asked = take_words(&registry, &mut words, 10_000);
    assert!(asked <= 2 * 10_000, "{asked}");
    let lines = registry.lines().count();
    assert_eq!(lines, 10_000_usize.div_ceil(WORDS));
    // Most of them come and go: they find the lines that have room.
    for _ in 0..10 {
        for word in words.drain(100..) {
            // SAFETY: L1.
            unsafe { &*word }.store(0, Ordering::Relaxed);
        }
        let asked = take_words(&registry, &mut words, 9_900);
        assert!(asked <= 2 * 9_900, "{asked}");
    }
    let now = registry.lines().count();
    assert!(now <= lines + lines / 8, "{now} of {lines}");
}

#[test]
fn lines_that_were_left_are_taken_again() {
    let registry = Registry::new();
    let most = 1000 * 8 / 7 + 2;
    for _ in 0..4 {
        let lines: Vec<_> = (0..1000).map(|_| registry.take()).collect();
        assert!((1000..=most).contains(&registry.lines().count()));
        lines.iter().for_each(|line| line.leave());
    }
    let mut lines: Vec<_> = (0..1000).map(|_| registry.take()).collect();
    for round in 0..10_000 {
        for at in [round % 900, round * 7 % 900] {
            lines.swap_remove(at).leave();
        }
        lines.extend([registry.take(), registry.take()]);
    }
    assert!(registry.lines().count() <= most);
}

/// What uses a store when the thread's locals go.
struct Late(Option<Arc<Registry>>);

impl Drop for Late {
    fn drop(&mut self) {
        let Some(registry) = &self.0 else { return };
        let first = registry.line();
        // Relaxed: its owner asks.
        assert!(first.owned.load(Ordering::Relaxed), "another may take it");
        for _ in 0..100 {
            assert!(std::ptr::eq(registry.line(), first));
        }
    }
}

// Used before the session begins, they go after it.
local!(LATE_FIRST: RefCell<Late> = RefCell::new(Late(None)));
local!(LATE_SECOND: RefCell<Late> = RefCell::new(Late(None)));

/// How many lines there are when so many threads have ended, one after the other.
fn lines_after(threads: usize, use_late: fn(&Arc<Registry>)) -> usize {
    let registry = Arc::new(Registry::new());
    for _ in 0..threads {
        let registry = Arc::clone(&registry);
        let thread = thread::spawn(move || {
            use_late(&registry);
            registry.line();
        });
        thread.join().expect("no panic");
    }
    registry.lines().count()
}

#[test]
fn lines_that_are_used_when_a_threads_locals_go_are_taken_again() {
    let late = |registry: &Arc<Registry>| {
        let late = Late(Some(Arc::clone(registry)));
        LATE_FIRST.with(|own| own.replace(late));
    };
    assert_eq!(lines_after(20, late), 1);
}

/// Nobody knows when the thread is through with it.
#[test]
fn what_more_a_thread_does_then_takes_one_line_for_good() {
    let late = |registry: &Arc<Registry>| {
        for own in [&LATE_FIRST, &LATE_SECOND] {
            let late = Late(Some(Arc::clone(registry)));
            own.with(|own| own.replace(late));
        }
    };
    // And one of eight that is left for who comes.
    let lines = lines_after(20, late);
    assert!((20..=23).contains(&lines), "{lines}");
}
