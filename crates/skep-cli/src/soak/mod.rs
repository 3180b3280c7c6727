//! The soak: replays, one after the other, beside threads that get in the store's way; whether the
//! books balance in each, and whether memory stays what it was.
//!
//! | file | what |
//! |---|---|
//! | `disturb.rs` | snapshots held long, watchers that stop, threads that park inside the store |
//! | `memory.rs` | the process's memory, looked at all the time, and its bound |
//! | `soaked.rs` | what is told |
//!
//! Each round is a replay of its own, of the same size, with other keys, in a store of its own: so
//! what one round leaves behind is a leak.

mod disturb;
mod memory;
mod soaked;

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::args::Replay;
use crate::aside;
use crate::books::fault::{Fault, Faults};
use crate::input::error::InputError;
use crate::interrupt::{self, Interrupt};
use crate::progress::Progress;
use crate::replay::{Outcome, Run};
use crate::report::{self, Summary, Watermark};
use disturb::Disturbances;
use memory::Memory;
use soaked::Soaked;

/// When it ends.
struct End {
    interrupt: Interrupt,
    began: Instant,
    length: Duration,
}

impl End {
    fn came(&self) -> bool {
        self.began.elapsed() >= self.length || self.interrupt.came()
    }
}

/// What all rounds share.
struct Soak<'a> {
    args: &'a Replay,
    end: End,
    disturbances: Disturbances,
    memory: Memory,
}

/// Plays rounds for so long. An error is one of the input; nothing was started then.
pub fn soak(args: &Replay, length: Duration) -> Result<ExitCode, InputError> {
    // Wrong input is told before anything starts.
    crate::cluster(args, args.seed)?;
    let mut soak = Soak {
        args,
        end: End {
            interrupt: Interrupt::listen(),
            began: Instant::now(),
            length,
        },
        disturbances: Disturbances::default(),
        memory: Memory::default(),
    };
    let mut soaked = Soaked::default();
    while !soak.end.came() && soaked.faults.is_empty() {
        let seed = args.seed.wrapping_add(soaked.rounds);
        let summary = soak.round(seed)?;
        soaked.add(&summary);
        soaked.faults.extend(soak.memory.end_round());
    }
    soaked.finish(&soak.disturbances, &soak.memory, soak.end.began.elapsed());
    let printed = crate::print_lines(&soaked.text(args.json), &soaked.faults);
    if let Err(error) = &printed {
        aside::tell(format_args!(
            "error: standard output: it cannot be written: {error}"
        ));
    }
    let code = match (
        soaked.faults.is_empty() && printed.is_ok(),
        soak.end.interrupt.came(),
    ) {
        (false, _) => crate::BROKEN,
        (true, true) => interrupt::EXIT_CODE,
        (true, false) => 0,
    };
    Ok(ExitCode::from(code))
}

/// Stops the disturbing threads, also when the replay panics.
struct StopWhenDropped<'a>(&'a AtomicBool);

impl Drop for StopWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Soak<'_> {
    /// One replay, disturbed.
    fn round(&mut self, seed: u64) -> Result<Summary, InputError> {
        let run = Run::new(crate::cluster(self.args, seed)?, seed);
        let faults = Faults::default();
        let mut watermark = Watermark::default();
        let outcome = self.play(&run, &faults, seed, &mut watermark);
        let threads = self.args.threads();
        Ok(report::summarize(
            &run, threads, seed, &outcome, &faults, watermark,
        ))
    }

    fn play(
        &mut self,
        run: &Run,
        faults: &Faults,
        seed: u64,
        watermark: &mut Watermark,
    ) -> Outcome {
        let mut progress = Progress::new(run.timeline.entries().len() as u64, self.args.quiet);
        let stop = AtomicBool::new(false);
        let (args, end) = (self.args, &self.end);
        let (disturbances, memory) = (&self.disturbances, &mut self.memory);
        let outcome = std::thread::scope(|scope| {
            let _stop = StopWhenDropped(&stop);
            if let Err(error) = disturbances.start(scope, run, faults, &stop, seed) {
                faults.add(Fault::Refused(format!("a thread that disturbs: {error}")));
            }
            run.play(args.threads(), args.pace(), faults, || {
                progress.show(run);
                watermark.look(run);
                memory.look();
                if end.came() || faults.count() > 0 {
                    run.interrupt();
                }
            })
        });
        progress.finish();
        outcome
    }
}
