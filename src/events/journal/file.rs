//! The journal's file, and the one thread that writes it: what waits while a commit is on its way to the disk goes with the next.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::{self, JoinHandle};

use redb::{Database, ReadTransaction, ReadableDatabase, WriteTransaction};
use tokio::sync::{mpsc, oneshot};

use super::Trouble;
use crate::state;

/// Most memory for the database.
const CACHE: usize = 8 << 20;

/// Most writes that go with one commit, and most that wait for theirs.
const BATCH: usize = 256;

/// What it is like without what was kept.
const WITHOUT: &str = "the journal begins empty, and what was not handled yet is lost";

/// What is told once it is on the disk.
type Tell = Box<dyn FnOnce() + Send>;

/// A write, and who hears of it.
type Job = Box<dyn FnOnce(&WriteTransaction) -> Result<Tell, redb::Error> + Send>;

/// The file, open. Dropping it waits for the writes that are under way.
pub struct File {
    shared: Arc<Shared>,
    jobs: Option<mpsc::Sender<Job>>,
    writer: Option<JoinHandle<()>>,
}

struct Shared {
    path: PathBuf,
    /// `None`: it could not be opened again after the disk failed.
    database: RwLock<Option<Database>>,
}

impl File {
    /// Opens the file, or makes it. Nobody else can open it meanwhile.
    pub fn open(path: &Path) -> Result<Self, Trouble> {
        let database = state::database(path, CACHE).map_err(|error| trouble(path, &error))?;
        let shared = Arc::new(Shared { path: path.to_owned(), database: RwLock::new(Some(database)) });
        let (jobs, waiting) = mpsc::channel(BATCH);
        let writing = shared.clone();
        let writer = thread::Builder::new().name("journal".into()).spawn(move || writing.write(waiting));
        let writer = writer.map_err(|error| Trouble::Storage(error.to_string()))?;
        Ok(Self { shared, jobs: Some(jobs), writer: Some(writer) })
    }

    /// Writes; returns when it is on the disk.
    pub async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<T, redb::Error> + Send + 'static,
    ) -> Result<T, Trouble> {
        let (tell, told) = oneshot::channel();
        let job: Job = Box::new(move |transaction| {
            let done = work(transaction)?;
            Ok(Box::new(move || {
                // Who does not wait for it any more does not hear of it.
                let _ = tell.send(done);
            }))
        });
        let lost = || Trouble::Storage(format!("{}: it could not be written", self.shared.path.display()));
        let jobs = self.jobs.as_ref().ok_or_else(lost)?;
        jobs.send(job).await.map_err(|_| lost())?;
        told.await.map_err(|_| lost())
    }

    /// Reads what is on the disk.
    pub fn read<T>(&self, work: impl FnOnce(&ReadTransaction) -> Result<T, redb::Error>) -> Result<T, Trouble> {
        let database = self.shared.database.read().unwrap_or_else(PoisonError::into_inner);
        let told = |error: redb::Error| trouble(&self.shared.path, &error);
        let Some(database) = &*database else {
            return Err(Trouble::Storage(format!("{}: it is not open", self.shared.path.display())));
        };
        let transaction = database.begin_read().map_err(|error| told(error.into()))?;
        work(&transaction).map_err(told)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

impl Shared {
    /// Does the jobs, as many together as wait.
    fn write(&self, mut waiting: mpsc::Receiver<Job>) {
        let mut jobs = Vec::new();
        while waiting.blocking_recv_many(&mut jobs, BATCH) > 0 {
            // Whoever waits for a job that is dropped hears that it was not done.
            if let Err(error) = self.commit(std::mem::take(&mut jobs)) {
                tracing::error!(error = %trouble(&self.path, &error), "the journal of events could not be written");
                self.reopen();
            }
        }
    }

    fn commit(&self, jobs: Vec<Job>) -> Result<(), redb::Error> {
        let mut tell = Vec::with_capacity(jobs.len());
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let Some(database) = &*database else {
            return Err(redb::Error::PreviousIo);
        };
        let mut transaction = database.begin_write()?;
        // After a crash the whole file would have to be read, with nothing taken meanwhile.
        transaction.set_quick_repair(true);
        for job in jobs {
            tell.push(job(&transaction)?);
        }
        // A commit is durable when it returns; that is redb's default and what all of this is about.
        transaction.commit()?;
        tell.into_iter().for_each(|tell| tell());
        Ok(())
    }

    /// After the disk failed once the database takes nothing until it is opened again.
    fn reopen(&self) {
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        drop(database.take());
        match state::database(&self.path, CACHE) {
            Ok(opened) => *database = Some(opened),
            Err(error) => tracing::error!(error = %trouble(&self.path, &error), "the journal of events is closed"),
        }
    }
}

fn trouble(path: &Path, error: &redb::Error) -> Trouble {
    match error {
        redb::Error::DatabaseAlreadyOpen => Trouble::Held,
        error => Trouble::Storage(format!("{}: {}", path.display(), state::mended(error, WITHOUT))),
    }
}
