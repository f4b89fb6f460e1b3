//! Numbers that a device may still be computing.

use std::sync::{Arc, OnceLock};

use super::CallbackError;

/// A number that may still be on a device. Whoever [asks a device to wait](Wait) learns it; whoever
/// can do without it for now keeps the reading and looks again later.
///
/// In the processor's memory every reading is known from the beginning, and costs nothing.
#[derive(Clone)]
pub struct Reading(Inner);

#[derive(Clone)]
enum Inner {
    Known(f64),
    Late(Arc<OnceLock<f64>>),
    Computed(Arc<Computed>),
}

struct Computed {
    of: Vec<Reading>,
    compute: Box<Compute>,
}

type Compute = dyn Fn(&[f64]) -> f64 + Send + Sync;

/// With which a [late](Reading::late) reading becomes known.
#[derive(Debug)]
pub struct Tell(Arc<OnceLock<f64>>);

impl Tell {
    /// Says what the number is.
    pub fn tell(self, value: f64) {
        // Nobody else can have said it: this is the only one, and is used up.
        let _ = self.0.set(value);
    }
}

impl Reading {
    /// A number that will be told.
    pub fn late() -> (Self, Tell) {
        let cell = Arc::new(OnceLock::new());
        (Self(Inner::Late(Arc::clone(&cell))), Tell(cell))
    }

    /// What others come to, known as soon as all of them are.
    pub fn of(
        readings: Vec<Self>,
        compute: impl Fn(&[f64]) -> f64 + Send + Sync + 'static,
    ) -> Self {
        let reading =
            Self(Inner::Computed(Arc::new(Computed { of: readings, compute: Box::new(compute) })));
        // What is known needs no others to be kept.
        match reading.get() {
            Some(value) => value.into(),
            None => reading,
        }
    }

    /// The number, if it is known by now.
    pub fn get(&self) -> Option<f64> {
        match &self.0 {
            Inner::Known(value) => Some(*value),
            Inner::Late(cell) => cell.get().copied(),
            Inner::Computed(computed) => {
                let values: Option<Vec<f64>> = computed.of.iter().map(Self::get).collect();
                values.map(|values| (computed.compute)(&values))
            }
        }
    }
}

impl From<f64> for Reading {
    fn from(value: f64) -> Self {
        Self(Inner::Known(value))
    }
}

impl From<f32> for Reading {
    fn from(value: f32) -> Self {
        f64::from(value).into()
    }
}

impl std::fmt::Debug for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.get() {
            Some(value) => write!(f, "{value}"),
            None => f.write_str("not read yet"),
        }
    }
}

/// What computes [`Reading`]s, and can wait for them.
pub trait Wait {
    /// Waits until every reading that was given out is known.
    ///
    /// # Errors
    /// The device failed. What it was asked for before stays unknown.
    fn wait(&self) -> Result<(), CallbackError>;
}

/// A step's mean loss, which may still be on a device.
#[derive(Clone, Copy)]
pub struct StepLoss<'a>(OfStep<'a>);

#[derive(Clone, Copy)]
enum OfStep<'a> {
    Known(f32),
    Late { reading: &'a Reading, device: &'a dyn Wait },
}

impl<'a> StepLoss<'a> {
    /// A loss that this device computes.
    pub fn new(reading: &'a Reading, device: &'a dyn Wait) -> Self {
        Self(match reading.get() {
            Some(value) => OfStep::Known(value as f32),
            None => OfStep::Late { reading, device },
        })
    }

    /// The loss. Waits for the device where it is not known yet; NaN if the device fails, and then
    /// the fit ends with the device's error.
    pub fn get(self) -> f32 {
        match self.0 {
            OfStep::Known(value) => value,
            OfStep::Late { reading, device } => {
                if reading.get().is_none() && device.wait().is_err() {
                    return f32::NAN;
                }
                reading.get().map_or(f32::NAN, |value| value as f32)
            }
        }
    }

    /// The loss, to be looked at later.
    pub fn reading(self) -> Reading {
        match self.0 {
            OfStep::Known(value) => value.into(),
            OfStep::Late { reading, .. } => reading.clone(),
        }
    }
}

impl From<f32> for StepLoss<'_> {
    fn from(loss: f32) -> Self {
        Self(OfStep::Known(loss))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;

    #[test]
    fn a_late_number_is_known_when_it_is_told() {
        let ((a, tell_a), (b, tell_b)) = (Reading::late(), Reading::late());
        let sum = Reading::of(vec![a.clone(), b, 1.0_f64.into()], |all| all.iter().sum());
        assert_eq!((a.get(), sum.get()), (None, None));
        tell_b.tell(4.0);
        assert_eq!((a.get(), sum.get()), (None, None));
        tell_a.tell(2.0);
        assert_eq!((a.get(), sum.get()), (Some(2.0), Some(7.0)));
        assert_eq!(Reading::of(vec![a], |all| all[0] * 2.0).get(), Some(4.0));
        assert_eq!(Reading::from(0.1_f32).get(), Some(f64::from(0.1_f32)));
    }

    #[derive(Default)]
    struct Device {
        waited: Cell<u32>,
        untold: RefCell<Option<Tell>>,
    }

    impl Wait for Device {
        fn wait(&self) -> Result<(), CallbackError> {
            self.waited.set(self.waited.get() + 1);
            match self.untold.take() {
                Some(tell) => tell.tell(0.5),
                None => {
                    let reason = "the device is gone".to_owned();
                    return Err(CallbackError::Access { what: "the device", reason });
                }
            }
            Ok(())
        }
    }

    #[test]
    fn only_who_looks_at_a_late_loss_waits() {
        let (reading, tell) = Reading::late();
        let device = Device { untold: Some(tell).into(), ..Device::default() };
        let loss = StepLoss::new(&reading, &device);
        assert_eq!((loss.reading().get(), device.waited.get()), (None, 0));
        assert_eq!((loss.get(), loss.get(), device.waited.get()), (0.5, 0.5, 1));
        // Known by now.
        let again = StepLoss::new(&reading, &device);
        assert_eq!((again.get(), again.reading().get(), device.waited.get()), (0.5, Some(0.5), 1));
        assert_eq!(StepLoss::from(2.0).get(), 2.0);
    }

    #[test]
    fn a_device_that_fails_gives_no_number() {
        let (reading, _tell) = Reading::late();
        assert!(StepLoss::new(&reading, &Device::default()).get().is_nan());
    }
}
