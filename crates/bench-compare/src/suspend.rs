//! A thread stopped where it stands: a signal whose handler waits until it is released.
//!
//! The signal is directed at the thread, so it interrupts it between any two instructions, also
//! between those of a store's critical section. The handler does only what a handler may: it loads
//! and exchanges an atomic and waits in `poll`.
//!
//! One thread is stopped at a time:
//!
//! ```text
//! RUNNING --stop--> ASKED --the handler--> STOPPED --release--> RUNNING
//! ```

#![expect(
    unsafe_code,
    reason = "a signal handler is unsafe to install; it waits and touches nothing"
)]

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use nix::sys::pthread::{Pthread, pthread_kill, pthread_self};
use nix::sys::signal::Signal;
use rustix::event::{Timespec, poll};

const RUNNING: u8 = 0;
const ASKED: u8 = 1;
const STOPPED: u8 = 2;

/// Where the one thread to be stopped is.
static STATE: AtomicU8 = AtomicU8::new(RUNNING);

const SIGNAL: Signal = Signal::SIGUSR1;
/// How often who waits looks.
const LOOK: Duration = Duration::from_micros(100);
/// How long a thread may take to get the signal.
const ARRIVAL_MAX: Duration = Duration::from_secs(10);

/// What the handler does.
fn wait_while_stopped() {
    let asked = STATE.compare_exchange(ASKED, STOPPED, Ordering::AcqRel, Ordering::Relaxed);
    if asked.is_err() {
        return;
    }
    let look = Timespec {
        tv_sec: 0,
        tv_nsec: LOOK.as_nanos() as _,
    };
    while STATE.load(Ordering::Acquire) == STOPPED {
        // Interrupted by another signal, it looks again the earlier.
        let _ = poll(&mut [], Some(&look));
    }
}

fn install() -> io::Result<()> {
    static INSTALLED: OnceLock<Result<(), io::ErrorKind>> = OnceLock::new();
    let installed = INSTALLED.get_or_init(|| {
        // SAFETY: the handler does only what may be done in one: it uses an atomic and `poll`,
        // takes no lock, allocates nothing and does not panic; the registry keeps errno for it.
        let registered =
            unsafe { signal_hook_registry::register(SIGNAL as i32, wait_while_stopped) };
        registered.map(drop).map_err(|error| error.kind())
    });
    installed.map_err(io::Error::from)
}

/// The calling thread, to be stopped by others.
pub fn current() -> Pthread {
    pthread_self()
}

/// A thread that stands still until this is dropped.
#[derive(Debug)]
pub struct Stopped(());

/// Stops a thread that lives, and returns when it stands. No other may be stopped at the time.
pub fn stop(thread: Pthread) -> io::Result<Stopped> {
    install()?;
    let asked = STATE.compare_exchange(RUNNING, ASKED, Ordering::AcqRel, Ordering::Relaxed);
    assert_eq!(asked, Ok(RUNNING), "one thread is stopped at a time");
    let stopped = Stopped(());
    pthread_kill(thread, SIGNAL)?;
    let start = Instant::now();
    while STATE.load(Ordering::Acquire) != STOPPED {
        if start.elapsed() > ARRIVAL_MAX {
            return Err(io::ErrorKind::TimedOut.into());
        }
        std::thread::sleep(LOOK);
    }
    Ok(stopped)
}

impl Drop for Stopped {
    fn drop(&mut self) {
        STATE.store(RUNNING, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, AtomicU64};
    use std::sync::mpsc;

    #[test]
    fn a_stopped_thread_stands_and_goes_on_after() {
        let (count, ending) = (&AtomicU64::new(0), &AtomicBool::new(false));
        std::thread::scope(|scope| {
            let (tell, told) = mpsc::channel();
            scope.spawn(move || {
                tell.send(current()).expect("somebody waits for it");
                while !ending.load(Ordering::Relaxed) {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
            let thread = told.recv().expect("it was sent");
            for _ in 0..3 {
                let stopped = stop(thread).expect("it lives");
                let before = count.load(Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(20));
                assert_eq!(count.load(Ordering::Relaxed), before, "it went on");
                drop(stopped);
                while count.load(Ordering::Relaxed) == before {
                    std::thread::yield_now();
                }
            }
            ending.store(true, Ordering::Relaxed);
        });
    }
}
