//! A verification from its first request to its outcome.

use std::cell::Cell;
use std::rc::Rc;

use futures_util::future::try_join;
use futures_util::{StreamExt, stream};
use js_sys::{Date, Function};
use vinzy_events::ledger::{Checkpoint, CheckpointError, TileKind, TilePath, VerifierKey};

use crate::Stop;
use crate::message::{Job, Kept, Kind, Progress, Proven, Said};
use crate::proof;
use crate::source::Source;
use crate::walk::{self, WIDTH, Walk};

/// Tiles that are on their way or wait to be checked: browsers open six connections to a server.
const AHEAD: usize = 12;
/// How often it says how far it is, in milliseconds.
const PULSE: f64 = 100.0;

/// A ledger with a checkpoint that its key has signed.
struct Ledger {
    note: String,
    key: VerifierKey,
    checkpoint: Checkpoint,
}

/// Says how far it is.
#[derive(Clone)]
struct Speaker {
    say: Rc<dyn Fn(&Said)>,
    progress: Rc<Cell<Progress>>,
    said_at: Rc<Cell<f64>>,
}

impl Speaker {
    fn new(say: impl Fn(&Said) + 'static) -> Self {
        Self {
            say: Rc::new(say),
            progress: Rc::default(),
            said_at: Rc::default(),
        }
    }

    fn pausing(&self, seconds: u32) {
        let progress = Progress {
            pause_seconds: Some(seconds),
            ..self.progress.get()
        };
        (self.say)(&Said::Progress(progress));
    }

    fn reached(&self, walk: &Walk, size: u64) {
        self.progress.set(Progress {
            from: walk.from(),
            checked: walk.checked(),
            size,
            pause_seconds: None,
        });
        let now = Date::now();
        if now - self.said_at.get() >= PULSE || walk.checked() == walk.from() {
            self.said_at.set(now);
            (self.say)(&Said::Progress(self.progress.get()));
        }
    }
}

/// Verifies a ledger.
pub(crate) async fn run(job: Job, get: Function, say: impl Fn(&Said) + 'static) -> Result<Proven, Stop> {
    let began = Date::now();
    let speaker = Speaker::new(say);
    let pausing = speaker.clone();
    let source = Source::new(job.ledger.clone(), get, move |seconds| pausing.pausing(seconds));
    let ledger = open(&source).await?;
    let told = |stop| with_note(stop, &ledger.note, 0);
    let old = job.kept.as_ref().map(opened).transpose().map_err(told)?;
    let mut doubt = None;
    if let Some(old) = &old {
        match proof::continues(&source, old, &ledger.checkpoint).await {
            // Whoever reads everything finds out which event it is.
            Err(Stop::Broken(broken)) if job.state.is_none() && old.size <= ledger.checkpoint.size => {
                doubt = Some(Stop::Broken(broken));
            }
            outcome => outcome.map_err(told)?,
        }
    }
    let mut walk = prepare(&ledger, old.clone(), job.state.as_deref())?;
    let mut busy = 0.0;
    let walked = events(&source, &ledger, &mut walk, &speaker, &mut busy).await;
    let outcome = walked
        .and_then(|()| doubt.map_or(Ok(()), Err))
        .and_then(|()| walk.finish())
        .and_then(|()| keys(&ledger, &walk, job.kept.as_ref()));
    if let Err(stop) = outcome {
        let stop = blamed(&source, stop, &walk, ledger.checkpoint.size).await;
        return Err(with_note(stop, &ledger.note, walk.checked()));
    }
    Ok(Proven {
        size: ledger.checkpoint.size,
        root: ledger.checkpoint.root.to_string(),
        keys: walk.verifier().keys().len(),
        key: ledger.key.to_string(),
        from: walk.from(),
        last_recorded_at: walk.last_recorded_at(),
        milliseconds: Date::now() - began,
        busy_milliseconds: busy,
        continues: old.map(|old| old.size),
        state: walk.state(),
        origin: ledger.checkpoint.origin,
        note: ledger.note,
    })
}

/// Says at which checkpoint it happened, and how much was good before.
fn with_note(stop: Stop, note: &str, good: u64) -> Stop {
    match stop {
        Stop::Broken(mut broken) => {
            broken.note = Some(note.to_owned());
            broken.good = broken.position.map_or(good, |position| position.min(good));
            Stop::Broken(broken)
        }
        failed @ Stop::Failed(_) => failed,
    }
}

async fn open(source: &Source) -> Result<Ledger, Stop> {
    let note = source.text("checkpoint").await?;
    let key = source.text("vkey").await?;
    let opened = key.trim_end().parse().and_then(|key: VerifierKey| {
        let checkpoint = key.open(&note)?;
        Ok((key, checkpoint))
    });
    let (key, checkpoint) = opened.map_err(|error| with_note(untrusted(error), &note, 0))?;
    Ok(Ledger {
        note,
        key,
        checkpoint,
    })
}

fn untrusted(error: CheckpointError) -> Stop {
    Stop::broken(Kind::Checkpoint, None, error.to_string())
}

/// What was kept, by its own key.
fn opened(kept: &Kept) -> Result<Checkpoint, Stop> {
    let opened = kept.key.parse().and_then(|key: VerifierKey| key.open(&kept.note));
    opened.map_err(|error| {
        let problem = format!("what this browser kept of an earlier verification makes no sense: {error}");
        Stop::broken(Kind::Checkpoint, None, problem)
    })
}

fn prepare(ledger: &Ledger, old: Option<Checkpoint>, state: Option<&str>) -> Result<Walk, Stop> {
    let checkpoint = ledger.checkpoint.clone();
    match (old, state) {
        (Some(old), Some(state)) => Walk::onward(checkpoint, state, old).ok_or_else(|| {
            let problem =
                "what this browser kept of an earlier verification makes no sense: verify everything";
            Stop::broken(Kind::Checkpoint, None, problem.to_owned())
        }),
        (old, _) => Ok(Walk::whole(checkpoint, old)),
    }
}

/// Reads the events, in order and some of them ahead, and then the tiles above them.
async fn events(
    source: &Source,
    ledger: &Ledger,
    walk: &mut Walk,
    speaker: &Speaker,
    busy: &mut f64,
) -> Result<(), Stop> {
    let size = ledger.checkpoint.size;
    speaker.reached(walk, size);
    let tiles = walk.tiles().map(|index| async move {
        let (_, events) = tile(source, TileKind::Entries, index, size).await?;
        Ok((index, events))
    });
    let mut tiles = std::pin::pin!(stream::iter(tiles).buffered(AHEAD));
    while let Some(tile) = tiles.next().await {
        let (index, events) = tile?;
        let began = now();
        walk.tile(index, &events)?;
        *busy += now() - began;
        speaker.reached(walk, size);
    }
    for (path, skip, expected) in walk.upper_tiles() {
        walk::compare(path, skip, &expected, &source.tile(path).await?)?;
    }
    Ok(())
}

/// Names the event that is to blame, where the tiles with the hashes of events tell which one it is: an event that was
/// changed is noticed by the next one, which names the hash that it had.
async fn blamed(source: &Source, stop: Stop, walk: &Walk, size: u64) -> Stop {
    let Stop::Broken(broken) = &stop else { return stop };
    let position = broken.position.unwrap_or_else(|| walk.checked());
    for index in position.saturating_sub(1) / WIDTH..=position / WIDTH {
        let events = tile(source, TileKind::Entries, index, size);
        let hashes = tile(source, TileKind::Hashes { level: 0 }, index, size);
        // What is not there says nothing.
        let Ok((events, hashes)) = try_join(events, hashes).await else {
            break;
        };
        if let Err(stop) = walk::blame((events.0, &events.1), (hashes.0, &hashes.1)) {
            return stop;
        }
    }
    stop
}

async fn tile(source: &Source, kind: TileKind, index: u64, size: u64) -> Result<(TilePath, Vec<u8>), Stop> {
    let path = TilePath::widest(kind, index, size);
    let path =
        path.ok_or_else(|| Stop::broken(Kind::Event, None, "no checkpoint covers this tile".to_owned()))?;
    Ok((path, source.tile(path).await?))
}

/// Checks the keys, now that it is known which ones the ledger's events name, by turns.
fn keys(ledger: &Ledger, walk: &Walk, kept: Option<&Kept>) -> Result<(), Stop> {
    let keys = walk.verifier().keys();
    let is_named = |key: &str| keys.iter().any(|named| named.to_string() == key);
    for key in kept
        .map(|kept| &kept.key)
        .into_iter()
        .chain([&ledger.key.to_string()])
    {
        if !is_named(key) {
            let problem = format!("no event of the ledger names the key {key}");
            return Err(Stop::broken(Kind::Checkpoint, None, problem));
        }
    }
    match keys.last() {
        Some(last) => last.open(&ledger.note).map(|_| ()).map_err(untrusted),
        None => Ok(()),
    }
}

/// Milliseconds, with fractions.
fn now() -> f64 {
    use wasm_bindgen::JsCast;
    let performance = js_sys::Reflect::get(&js_sys::global(), &"performance".into()).unwrap_or_default();
    let now = js_sys::Reflect::get(&performance, &"now".into()).ok();
    let now = now.and_then(|now| now.dyn_into::<Function>().ok());
    now.and_then(|now| now.call0(&performance).ok()?.as_f64())
        .unwrap_or_else(Date::now)
}
