//! The interface over a Unix socket.
//!
//! One thread takes clients, one writes to each. The stack only puts records into bounded queues: it waits for no client
//! and for no write.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use super::{Buffer, HEADER, Init, Interface, Name, Request, Server, Term};

/// How long a client may take to send its request.
const REQUEST_TIME: Duration = Duration::from_secs(10);
/// How often an idle client is looked at: whether it is still there.
const LOOK: Duration = Duration::from_millis(500);

/// Bounds and choices of a service.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "made to be written with update syntax"
)]
pub struct ServiceConfig {
    /// The system, for the init record.
    pub system: Name,
    /// The job of the stack, for the init record.
    pub job: Name,
    /// When the stack was started, as `STCK` stores it.
    pub started: u64,
    /// Longest buffer in bytes, header included.
    pub max_buffer: u32,
    /// Bytes that wait for one client at most. Records beyond it are lost for that client, and it is told how many.
    pub queue: usize,
    /// Clients at once. One more is told so and closed.
    pub clients: usize,
    /// How long records are collected before a buffer that is not full is sent.
    pub idle: Duration,
    /// How long one write may take. A client that takes no byte for so long is closed.
    pub patience: Duration,
    /// Permissions of the socket: records are sensitive. Put it into a folder that has none for others, too.
    pub mode: u32,
}

impl Default for ServiceConfig {
    /// Buffers of 64 KiB, 1 MiB for each of eight clients, for the owner only.
    fn default() -> Self {
        Self {
            system: Name::new(""),
            job: Name::new("TCPIP"),
            started: 0,
            max_buffer: 64 << 10,
            queue: 1 << 20,
            clients: 8,
            idle: Duration::from_millis(100),
            patience: Duration::from_secs(10),
            mode: 0o600,
        }
    }
}

/// A client of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(u64);

/// What a service has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Clients with a good request.
    pub clients: u64,
    /// Connections that were turned away.
    pub refused: u64,
    /// Records put into queues, counted for each client.
    pub records: u64,
    /// Records that clients lost, counted for each.
    pub lost: u64,
}

#[derive(Debug)]
struct Queue {
    id: ClientId,
    request: Request,
    buffers: VecDeque<Buffer>,
    bytes: usize,
    /// Lost since the last record that was taken.
    lost: u64,
    /// The list of connections is wanted and was not given.
    list: bool,
    gone: bool,
}

#[derive(Debug, Default)]
struct State {
    clients: Vec<Arc<Place>>,
    /// Connections whose request has not come.
    waiting: usize,
    last: u64,
    counts: Counts,
    ending: Option<Ending>,
}

/// Why a service ends, and when its clients must be through.
#[derive(Clone, Copy, Debug)]
struct Ending {
    why: Term,
    until: Instant,
}

#[derive(Debug)]
struct Place {
    queue: Mutex<Queue>,
    ready: Condvar,
}

#[derive(Debug)]
struct Shared {
    config: ServiceConfig,
    interface: Interface,
    state: Mutex<State>,
    writers: Mutex<Vec<JoinHandle<()>>>,
}

/// A panic of another thread leaves nothing half done here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves one interface to the clients of a Unix socket.
#[derive(Debug)]
pub struct Service {
    shared: Arc<Shared>,
    path: PathBuf,
    listener: Option<JoinHandle<()>>,
}

impl Service {
    /// Binds the socket and begins to take clients. A socket that nobody listens at any more is replaced.
    ///
    /// # Errors
    /// Those of binding, and of starting a thread.
    pub fn bind(path: &Path, interface: Interface, config: ServiceConfig) -> io::Result<Self> {
        let listener = match UnixListener::bind(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_stale(path) => {
                fs::remove_file(path)?;
                UnixListener::bind(path)?
            }
            other => other?,
        };
        fs::set_permissions(path, fs::Permissions::from_mode(config.mode))?;
        let shared = Arc::new(Shared {
            config,
            interface,
            state: Mutex::default(),
            writers: Mutex::default(),
        });
        let ours = Arc::clone(&shared);
        let thread = thread::Builder::new().name("zert-nmi".into());
        let listener = thread.spawn(move || listen(&ours, &listener))?;
        Ok(Self {
            shared,
            path: path.into(),
            listener: Some(listener),
        })
    }

    /// Where the socket is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives a record with its time, as `STCK` stores it, to every client that asked for records.
    ///
    /// It waits for nobody: a client whose queue is full loses the record and is told so.
    pub fn publish(&self, time: u64, record: &[u8]) {
        let mut state = lock(&self.shared.state);
        let State {
            clients, counts, ..
        } = &mut *state;
        for place in clients.iter() {
            let mut queue = lock(&place.queue);
            if queue.request.records {
                self.put(place, &mut queue, counts, time, record);
            }
        }
    }

    /// Gives a record to one client: a current connection to one that asked for the list. `false` when the client is
    /// gone.
    pub fn send(&self, to: ClientId, time: u64, record: &[u8]) -> bool {
        let mut state = lock(&self.shared.state);
        let State {
            clients, counts, ..
        } = &mut *state;
        for place in clients.iter() {
            let mut queue = lock(&place.queue);
            if queue.id == to {
                self.put(place, &mut queue, counts, time, record);
                return !queue.gone;
            }
        }
        false
    }

    /// Clients that want the current connections first and were not named by this before: give them with
    /// [`send`](Self::send).
    #[must_use]
    pub fn lists_wanted(&self) -> Vec<ClientId> {
        let state = lock(&self.shared.state);
        let mut wanted = Vec::new();
        for place in &state.clients {
            let mut queue = lock(&place.queue);
            if core::mem::take(&mut queue.list) {
                wanted.push(queue.id);
            }
        }
        wanted
    }

    /// Clients now.
    #[must_use]
    pub fn clients(&self) -> usize {
        lock(&self.shared.state).clients.len()
    }

    /// What was done so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        lock(&self.shared.state).counts
    }

    fn put(&self, place: &Place, queue: &mut Queue, counts: &mut Counts, time: u64, record: &[u8]) {
        let config = &self.shared.config;
        let format = self.shared.interface.format();
        let size = record.len().saturating_add(super::ENTRY_OVERHEAD);
        let most = config.max_buffer as usize;
        let fits = queue.bytes.saturating_add(size) <= config.queue
            && size.saturating_add(HEADER) <= most
            && record.len() <= super::MAX_RECORD;
        if !fits {
            queue.lost = queue.lost.saturating_add(1);
            counts.lost = counts.lost.saturating_add(1);
            place.ready.notify_one();
            return;
        }
        // A loss stands before the records behind it, so these begin another buffer.
        let joins = queue.lost == 0
            && queue
                .buffers
                .back_mut()
                .is_some_and(|b| b.push(format, time, record));
        if !joins {
            let mut buffer = Buffer::new(most, core::mem::take(&mut queue.lost));
            buffer.push(format, time, record);
            queue.buffers.push_back(buffer);
        }
        queue.bytes = queue.bytes.saturating_add(size);
        counts.records = counts.records.saturating_add(1);
        place.ready.notify_one();
    }

    /// Ends the service: clients get what waits for them and are told why. It takes hardly longer than the
    /// patience of the configuration, also if a client takes its bytes one by one.
    pub fn shutdown(mut self, why: Term) {
        self.end(why);
    }

    fn end(&mut self, why: Term) {
        let Some(listener) = self.listener.take() else {
            return;
        };
        {
            let mut state = lock(&self.shared.state);
            let until = Instant::now() + self.shared.config.patience;
            state.ending = Some(Ending { why, until });
            for place in &state.clients {
                place.ready.notify_one();
            }
        }
        // Wakes the listener. When somebody else has the name now, it is left to the end of the process.
        if UnixStream::connect(&self.path).is_ok() {
            let _ = listener.join();
        }
        let _ = fs::remove_file(&self.path);
        let writers = core::mem::take(&mut *lock(&self.shared.writers));
        for writer in writers {
            let _ = writer.join();
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.end(Term::StackEnds);
    }
}

fn is_stale(path: &Path) -> bool {
    let socket = fs::symlink_metadata(path).is_ok_and(|m| m.file_type().is_socket());
    socket && UnixStream::connect(path).is_err_and(|e| e.kind() == io::ErrorKind::ConnectionRefused)
}

fn listen(shared: &Arc<Shared>, listener: &UnixListener) {
    loop {
        let accepted = listener.accept();
        let mut state = lock(&shared.state);
        if state.ending.is_some() {
            return;
        }
        let Ok((mut stream, _)) = accepted else {
            drop(state);
            // Out of file descriptors, for example: that passes.
            thread::sleep(LOOK);
            continue;
        };
        if state.clients.len() + state.waiting >= shared.config.clients {
            state.counts.refused = state.counts.refused.saturating_add(1);
            drop(state);
            let _ = stream.set_write_timeout(Some(Duration::from_millis(100)));
            let _ = stream.write_all(&Term::TooMany.encode());
            continue;
        }
        state.waiting += 1;
        drop(state);
        let ours = Arc::clone(shared);
        let thread = thread::Builder::new().name("zert-nmi-client".into());
        let spawned = thread.spawn(move || serve(&ours, stream));
        let mut writers = lock(&shared.writers);
        writers.retain(|w| !w.is_finished());
        match spawned {
            Ok(writer) => writers.push(writer),
            Err(_) => lock(&shared.state).waiting -= 1,
        }
    }
}

/// One client, from its request to its end.
fn serve(shared: &Shared, mut stream: UnixStream) {
    let request = request(shared, &mut stream);
    // Short, so that the end of the service is noticed.
    let timeout = shared.config.patience.clamp(Duration::from_millis(1), LOOK);
    let _ = stream.set_write_timeout(Some(timeout));
    let mut state = lock(&shared.state);
    state.waiting = state.waiting.saturating_sub(1);
    let request = match request {
        Ok(request) if state.ending.is_none() => request,
        other => {
            let why = match other {
                Ok(_) => state.ending.map_or(Term::Normal, |e| e.why),
                Err(why) => why,
            };
            state.counts.refused = state.counts.refused.saturating_add(1);
            drop(state);
            let _ = stream.write_all(&why.encode());
            return;
        }
    };
    state.last = state.last.wrapping_add(1);
    state.counts.clients = state.counts.clients.saturating_add(1);
    let place = Arc::new(Place {
        queue: Mutex::new(Queue {
            id: ClientId(state.last),
            request,
            buffers: VecDeque::new(),
            bytes: 0,
            lost: 0,
            list: request.current,
            gone: false,
        }),
        ready: Condvar::new(),
    });
    state.clients.push(Arc::clone(&place));
    drop(state);
    let why = write(shared, &place, &mut stream);
    lock(&place.queue).gone = true;
    lock(&shared.state)
        .clients
        .retain(|c| !Arc::ptr_eq(c, &place));
    let _ = stream.set_write_timeout(Some(Duration::from_millis(100)));
    let _ = stream.write_all(&why.encode());
}

fn request(shared: &Shared, stream: &mut UnixStream) -> Result<Request, Term> {
    let until = Instant::now() + REQUEST_TIME;
    let mut server = Server::new(shared.interface);
    let mut bytes = [0; super::REQUEST];
    stream
        .set_read_timeout(Some(LOOK))
        .map_err(|_| Term::Normal)?;
    loop {
        if Instant::now() >= until {
            return Err(Term::BadRequest);
        }
        if let Some(ending) = lock(&shared.state).ending {
            return Err(ending.why);
        }
        let wanted = bytes.get_mut(..server.wants()).unwrap_or_default();
        let n = match stream.read(wanted) {
            Ok(0) => return Err(Term::BadRequest),
            Ok(n) => n,
            Err(e) if is_timeout(&e) => continue,
            Err(_) => return Err(Term::Normal),
        };
        let read = bytes.get(..n).unwrap_or_default();
        match server.receive(read) {
            Ok(Some(request)) => return Ok(request),
            Ok(None) => {}
            Err(_) => return Err(Term::BadRequest),
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted)
}

/// Writes all bytes to a client that takes some at least once in its patience, and the rest in time when
/// the service ends.
fn send(shared: &Shared, stream: &mut UnixStream, mut bytes: &[u8]) -> Result<(), Term> {
    let mut taken = Instant::now();
    while !bytes.is_empty() {
        let ending = lock(&shared.state).ending;
        if ending.is_some_and(|e| Instant::now() >= e.until) {
            return Err(Term::TooSlow);
        }
        match stream.write(bytes) {
            Ok(0) => return Err(Term::Normal),
            Ok(n) => {
                bytes = bytes.get(n..).unwrap_or_default();
                taken = Instant::now();
            }
            Err(error) if is_timeout(&error) => {
                if taken.elapsed() >= shared.config.patience {
                    return Err(Term::TooSlow);
                }
            }
            Err(_) => return Err(Term::Normal),
        }
    }
    Ok(())
}

/// Writes until the end and says why it is the end.
fn write(shared: &Shared, place: &Place, stream: &mut UnixStream) -> Term {
    let config = &shared.config;
    let init = Init {
        system: config.system,
        component: Name::new(shared.interface.name()),
        job: config.job,
        started: config.started,
        max_buffer: config.max_buffer,
    };
    if let Err(why) = send(shared, stream, &init.encode()) {
        return why;
    }
    let _ = stream.set_read_timeout(Some(Duration::from_millis(1)));
    loop {
        let ending = lock(&shared.state).ending;
        let mut queue = lock(&place.queue);
        if ending.is_none() {
            if queue.bytes == 0 && queue.lost == 0 {
                let waited = place.ready.wait_timeout(queue, LOOK);
                queue = waited.unwrap_or_else(PoisonError::into_inner).0;
            } else if queue.buffers.len() < 2 {
                // More may come for the same buffer. A client that lost records is one too slow for that.
                drop(queue);
                thread::sleep(config.idle);
                queue = lock(&place.queue);
            }
        }
        let buffers = core::mem::take(&mut queue.buffers);
        queue.bytes = 0;
        let mut last = None;
        if buffers.is_empty() && queue.lost > 0 {
            last = Some(Buffer::new(HEADER, core::mem::take(&mut queue.lost)));
        }
        let nothing = buffers.is_empty() && last.is_none();
        drop(queue);
        for buffer in buffers.into_iter().chain(last) {
            if let Err(why) = send(shared, stream, &buffer.finish()) {
                return why;
            }
        }
        if nothing {
            if let Some(ending) = ending {
                return ending.why;
            }
            match stream.read(&mut [0; 64]) {
                Ok(0) => return Term::Normal,
                Err(error) if !is_timeout(&error) => return Term::Normal,
                Ok(_) | Err(_) => {}
            }
        }
    }
}
