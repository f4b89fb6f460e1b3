//! TensorBoard: an event file with a run's points and parameters.
//!
//! TensorBoard takes each folder for a run, so the file of a run goes into a folder of its own,
//! under [`file_name`].
//!
//! - A point is a scalar in TensorBoard's present form, a tensor of type double, so that no digit
//!   is lost; NaN and the infinities are kept. In Python, `EventAccumulator(…).Tensors(name)` reads
//!   it.
//! - Parameters are there for the HPARAMS page.
//! - A journal has no time for each point, so none is made up: the wall time of every point is that
//!   of the run's start. Read curves by step; TensorBoard's RELATIVE and WALL axes show nothing.
//! - Where a metric was logged twice at a step, both points are in the file; TensorBoard's page
//!   shows the later one.

mod messages;

use std::io::{self, Write};

use prost::Message;

use self::messages::{
    Event, HParams, Kind, Metadata, ParamValue, PluginData, SessionEnd, SessionStart, Shape,
    Summary, SummaryValue, Tensor,
};
use super::failed;
use super::tree::non_finite;
use crate::error::Result;
use crate::record::RunRecord;
use crate::summary::{RunState, RunSummary};
use crate::value::Value;

/// The name for a run's event file. TensorBoard finds it by the word `tfevents`.
pub fn file_name(run: &RunSummary) -> String {
    format!("events.out.tfevents.{}.{}", run.started_at.as_second(), run.id)
}

/// Writes a run's event file.
///
/// # Errors
/// [`StoreError::Export`](crate::StoreError::Export) when `out` refuses.
pub fn events(record: &RunRecord, out: impl Write) -> Result<()> {
    write_events(record, out).map_err(failed("TensorBoard"))
}

fn write_events(record: &RunRecord, mut out: impl Write) -> io::Result<()> {
    let summary = &record.summary;
    let wall_time = summary.started_at.as_duration().as_secs_f64();
    let event = |step, value| Event {
        wall_time,
        step,
        file_version: None,
        summary: Some(Summary { value: vec![value] }),
    };
    frame(
        &Event {
            wall_time,
            step: 0,
            file_version: Some("brain.Event:2".to_owned()),
            summary: None,
        },
        &mut out,
    )?;
    frame(
        &event(0, hparams("_hparams_/session_start_info", &session_start(summary, wall_time))),
        &mut out,
    )?;
    for (name, series) in &record.series {
        for (at, (step, value)) in series.iter().enumerate() {
            let value = SummaryValue {
                tag: name.to_string(),
                tensor: Some(double(*value)),
                // TensorBoard keeps what the first point of a name says.
                metadata: (at == 0).then(|| metadata("scalars", 1, Vec::new())),
            };
            frame(&event(i64::try_from(*step).unwrap_or(i64::MAX), value), &mut out)?;
        }
    }
    frame(
        &event(0, hparams("_hparams_/session_end_info", &session_end(summary, wall_time))),
        &mut out,
    )?;
    out.flush()
}

/// A record of the file: length, its checksum, the message, its checksum.
fn frame(event: &Event, out: &mut impl Write) -> io::Result<()> {
    let message = event.encode_to_vec();
    let length = (message.len() as u64).to_le_bytes();
    out.write_all(&length)?;
    out.write_all(&masked(&length))?;
    out.write_all(&message)?;
    out.write_all(&masked(&message))
}

/// The checksum as TFRecord files have it, changed so that the sum of data that holds sums is no
/// trap.
fn masked(bytes: &[u8]) -> [u8; 4] {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

fn double(value: f64) -> Tensor {
    Tensor { dtype: 2, shape: Some(Shape {}), double_val: vec![value] }
}

fn metadata(plugin: &str, data_class: i32, content: Vec<u8>) -> Metadata {
    Metadata {
        plugin_data: Some(PluginData { plugin_name: plugin.to_owned(), content }),
        data_class,
    }
}

fn hparams(tag: &str, data: &HParams) -> SummaryValue {
    // The plugin reads the metadata; the tensor must be there.
    SummaryValue {
        tag: tag.to_owned(),
        tensor: Some(double(0.0)),
        metadata: Some(metadata("hparams", 2, data.encode_to_vec())),
    }
}

fn session_start(run: &RunSummary, start_time_secs: f64) -> HParams {
    let hparams = run.params.iter().map(|(name, value)| {
        let kind = match value {
            Value::Bool(value) => Kind::Bool(*value),
            Value::Int(value) if value.unsigned_abs() <= 1 << 53 => Kind::Number(*value as f64),
            Value::Int(value) => Kind::Text(value.to_string()),
            Value::Float(value) if value.is_finite() => Kind::Number(*value),
            // The plugin passes on JSON, which has no such number.
            Value::Float(value) => Kind::Text(non_finite(*value).to_owned()),
            Value::Text(value) => Kind::Text(value.clone()),
        };
        (name.to_string(), ParamValue { kind: Some(kind) })
    });
    HParams {
        session_start: Some(SessionStart { hparams: hparams.collect(), start_time_secs }),
        session_end: None,
    }
}

fn session_end(run: &RunSummary, start: f64) -> HParams {
    let status = match run.state {
        RunState::Finished | RunState::Stopped { .. } => 1,
        RunState::Failed { .. } | RunState::Crashed => 2,
        RunState::Running => 3,
    };
    let end_time_secs = run.seconds.map_or(0.0, |seconds| start + seconds);
    HParams { session_start: None, session_end: Some(SessionEnd { status, end_time_secs }) }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    /// Takes a file apart and checks its sums.
    fn read(mut bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        while !bytes.is_empty() {
            let (head, rest) = bytes.split_at(12);
            let length = u64::from_le_bytes(head[..8].try_into().unwrap()) as usize;
            assert_eq!(head[8..], masked(&head[..8]));
            assert_eq!(rest[length..length + 4], masked(&rest[..length]));
            events.push(Event::decode(&rest[..length]).unwrap());
            bytes = &rest[length + 4..];
        }
        events
    }

    #[test]
    fn the_checksum_is_that_of_a_known_file() {
        // Bytes 9 to 12 of the files that TensorFlow writes for its 24-byte version record.
        assert_eq!(masked(&24_u64.to_le_bytes()), [0xa3, 0x7f, 0x4b, 0x22]);
    }

    #[test]
    fn every_point_is_there_bit_for_bit() {
        let record = samples::odd();
        let mut bytes = Vec::new();
        events(&record, &mut bytes).unwrap();
        let events = read(&bytes);
        assert_eq!(events[0].file_version.as_deref(), Some("brain.Event:2"));
        assert!(events.iter().all(|event| event.wall_time == 1_795_475_052.25));
        let mut found = Vec::new();
        for event in &events {
            for value in event.summary.iter().flat_map(|summary| &summary.value) {
                if !value.tag.starts_with("_hparams_/") {
                    let number = value.tensor.as_ref().unwrap().double_val[0];
                    found.push((
                        value.tag.clone(),
                        event.step,
                        number.to_bits(),
                        value.metadata.is_some(),
                    ));
                }
            }
        }
        let mut expected = Vec::new();
        for (name, series) in &record.series {
            for (at, (step, value)) in series.iter().enumerate() {
                expected.push((name.to_string(), *step as i64, value.to_bits(), at == 0));
            }
        }
        assert_eq!(found, expected);
    }

    #[test]
    fn parameters_keep_their_types() {
        let params =
            [("lr", 0.5.into()), ("n", 3.into()), ("on", true.into()), ("opt", "adam".into())];
        let record =
            samples::record(1, &[&params[..], &[("inf", f64::INFINITY.into())]].concat(), &[]);
        let start = session_start(&record.summary, 7.0).session_start.unwrap();
        let of = |name: &str| start.hparams[name].kind.clone().unwrap();
        assert_eq!(
            (of("lr"), of("n"), of("on")),
            (Kind::Number(0.5), Kind::Number(3.0), Kind::Bool(true))
        );
        assert_eq!(
            (of("opt"), of("inf")),
            (Kind::Text("adam".into()), Kind::Text("Infinity".into()))
        );
    }
}
