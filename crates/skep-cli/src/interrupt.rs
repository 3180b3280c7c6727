//! Ctrl-C: the first ends a replay cleanly, the second at once. Whatever else the program does ends
//! at once: it may be waiting for input that never comes, and it has nothing to tell half done.
//!
//! The listener is a thread of its own, so it may wait, and remove files.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::aside;
use crate::unfinished::Unfinished;

/// The exit code of a program that was interrupted.
pub const EXIT_CODE: u8 = 130;

/// Whether the user wants the program to end.
#[derive(Clone, Default)]
pub struct Interrupt {
    came: Arc<AtomicBool>,
    unfinished: Unfinished,
}

impl Interrupt {
    /// Listens for Ctrl-C and for a request to terminate: the first is to be
    /// [asked for](Self::came), the second ends the program at once.
    pub fn listen() -> Self {
        let interrupt = Self::default();
        let Self { came, unfinished } = interrupt.clone();
        hear(move || {
            if came.swap(true, Ordering::Relaxed) {
                unfinished.end(EXIT_CODE);
            }
        });
        interrupt
    }

    /// Listens as well, but the first ends the program at once.
    pub fn listen_to_end() -> Self {
        let interrupt = Self::default();
        let unfinished = interrupt.unfinished.clone();
        hear(move || unfinished.end(EXIT_CODE));
        interrupt
    }

    /// Whether there was one.
    pub fn came(&self) -> bool {
        self.came.load(Ordering::Relaxed)
    }

    /// What is removed if the program is ended at once.
    pub fn unfinished(&self) -> &Unfinished {
        &self.unfinished
    }
}

fn hear(heard: impl FnMut() + Send + 'static) {
    if let Err(error) = ctrlc::set_handler(heard) {
        aside::tell(format_args!(
            "warning: Ctrl-C will not end the program cleanly: {error}"
        ));
    }
}
