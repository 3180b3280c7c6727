//! An executor for thousands of tasks on one thread: what is woken is polled, in order.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::thread::Thread;

/// A watcher's task: it never ends.
pub type Task = Pin<Box<dyn Future<Output = ()>>>;

/// What is to be polled.
struct Ready {
    queue: Mutex<VecDeque<usize>>,
    thread: Thread,
}

/// Wakes one task.
struct Call {
    task: usize,
    queued: AtomicBool,
    ready: Arc<Ready>,
}

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            self.ready
                .queue
                .lock()
                .expect("no panic")
                .push_back(self.task);
            self.ready.thread.unpark();
        }
    }
}

/// Runs tasks on the thread that made it.
pub struct Executor {
    tasks: Vec<(Task, Arc<Call>, Waker)>,
    ready: Arc<Ready>,
    /// Empty: the room of the queue that was polled last, so that no waking pays for room.
    room: VecDeque<usize>,
}

impl Default for Executor {
    fn default() -> Self {
        Self {
            tasks: Vec::new(),
            room: VecDeque::new(),
            ready: Arc::new(Ready {
                queue: Mutex::default(),
                thread: std::thread::current(),
            }),
        }
    }
}

impl Executor {
    /// Adds a task, to be polled.
    pub fn spawn(&mut self, task: Task) {
        let call = Arc::new(Call {
            task: self.tasks.len(),
            queued: AtomicBool::new(false),
            ready: Arc::clone(&self.ready),
        });
        call.wake_by_ref();
        let waker = Waker::from(Arc::clone(&call));
        self.tasks.push((task, call, waker));
    }

    /// How many tasks it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Wakes the thread alone.
    #[must_use]
    pub fn waker(&self) -> Waker {
        struct Unpark(Thread);
        impl Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }
        Waker::from(Arc::new(Unpark(self.ready.thread.clone())))
    }

    /// Waits until something is woken.
    pub fn wait(&self) {
        if self.ready.queue.lock().expect("no panic").is_empty() {
            std::thread::park();
        }
    }

    /// Polls what is woken, until nothing is.
    pub fn run_ready(&mut self) {
        loop {
            let room = std::mem::take(&mut self.room);
            let mut queue = self.ready.queue.lock().expect("no panic");
            let mut woken = std::mem::replace(&mut *queue, room);
            drop(queue);
            if woken.is_empty() {
                self.room = woken;
                return;
            }
            for index in woken.drain(..) {
                let (task, call, waker) = &mut self.tasks[index];
                call.queued.store(false, Ordering::Release);
                let polled = task.as_mut().poll(&mut Context::from_waker(waker));
                assert!(polled.is_pending(), "a watcher's task ends");
            }
            self.room = woken;
        }
    }
}
