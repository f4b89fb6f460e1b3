//! From bytes to columns: each byte is looked at once, on as many threads as there are cores.

use super::columns::Growing;
use super::layout::{Layout, Parsed, Stop};

/// Below so many bytes a second thread is not worth its start.
const WORTH_A_THREAD: usize = 1 << 20;

/// Reads the records from byte `from` on. A quoted field may hold a line break, so that where
/// a quote occurs there is one thread.
pub(super) fn parse(layout: &Layout<'_>, text: &[u8], from: usize) -> Result<Parsed, Stop> {
    let quoted = layout.marks.quote.is_some_and(|quote| text[from..].contains(&quote));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = if quoted { 1 } else { cores.min((text.len() - from) / WORTH_A_THREAD) };
    let mut bounds = vec![from];
    for thread in 1..threads {
        let near = from + (text.len() - from) / threads * thread;
        let line = text[near..].iter().position(|&byte| byte == b'\n');
        bounds.extend(line.map(|length| near + length + 1));
    }
    bounds.push(text.len());
    bounds.dedup();
    if bounds.len() < 3 {
        return piece(layout, text, from, quoted);
    }
    let pieces: Vec<Result<Parsed, Stop>> = std::thread::scope(|scope| {
        let start = |bounds: &[usize]| {
            let (from, to) = (bounds[0], bounds[1]);
            scope.spawn(move || piece(layout, &text[..to], from, quoted))
        };
        let threads: Vec<_> = bounds.windows(2).map(start).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().map(join).collect()
    });
    let mut all = Parsed::default();
    for piece in pieces {
        all.append(piece?);
    }
    Ok(all)
}

fn piece(layout: &Layout<'_>, text: &[u8], from: usize, quoted: bool) -> Result<Parsed, Stop> {
    let mut growing = Growing::new(layout, from, text.len());
    match quoted {
        true => growing.read_quoted(text)?,
        false => growing.read_plain(text)?,
    }
    Ok(growing.finish())
}
