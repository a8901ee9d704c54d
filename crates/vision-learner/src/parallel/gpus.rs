//! Several GPUs of one machine.

use burn::tensor::Device;
use vision_base::OptionError;
use vision_kernels::ops;

use crate::Result;
use crate::parallel::collective::{Collective, LostRank};
use crate::parallel::sockets::Sockets;

/// GPUs of one machine, each of which a thread of one process uses.
///
/// Where Burn connects GPUs (NVIDIA's, if NCCL is installed), they add up gradients themselves. All else, and gradients of other
/// devices, take the way of [`Sockets`] within the process. The data of each learner have to be on the [device](Self::device) of its
/// rank. Batch norms have to be [local](crate::DataParallel::with_local_batch_norm): only the CPU can synchronize them.
///
/// ```no_run
/// use burn::tensor::Device;
/// use vision_data::ImageDataBunch;
/// use vision_learner::{DataParallel, Error, Gpus, create_cnn};
/// use vision_models::Arch;
///
/// // `cuda:0`, `cuda:1` .. with the feature `cuda`.
/// let devices: Vec<Device> = ["cuda:0", "cuda:1"].into_iter().map(vision_data::device::parse).collect::<Result<_, _>>()?;
/// std::thread::scope(|scope| {
///     let threads: Vec<_> = Gpus::local(&devices)?.into_iter().map(|gpus| scope.spawn(|| {
///         let data = ImageDataBunch::from_folder("pets").size(224).batch_size(256).device(gpus.device().clone()).build()?;
///         let mut learner = create_cnn(data, Arch::ResNet50).build()?;
///         learner.data_parallel(DataParallel::new(gpus).with_local_batch_norm(true));
///         learner.fit_one_cycle(4, 1e-3)?;
///         Ok::<(), Error>(())
///     })).collect();
///     threads.into_iter().try_for_each(|thread| thread.join().expect("a thread that does not panic"))
/// })?;
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct Gpus {
    sockets: Sockets,
    devices: Vec<Device>,
    /// Whether Burn adds up tensors over them.
    connected: bool,
}

impl Gpus {
    /// A rank for each of the devices, in their order.
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) for no device, and if a GPU is there twice. The CPU may be, to try things out.
    /// [`Error::Meeting`](crate::Error::Meeting) if the system refuses connections within the process.
    pub fn local(devices: &[Device]) -> Result<Vec<Self>> {
        for (i, device) in devices.iter().enumerate() {
            if *device != Device::flex() && devices[..i].contains(device) {
                let found = format!("{device:?} twice");
                return Err(OptionError::new("devices", "different GPUs", found).into());
            }
        }
        let connected = devices.len() > 1 && ops::can_sum_over(devices);
        let rank = |sockets| Self {
            sockets,
            devices: devices.to_vec(),
            connected,
        };
        Ok(Sockets::local(devices.len())?
            .into_iter()
            .map(rank)
            .collect())
    }

    /// The device of this rank.
    pub fn device(&self) -> &Device {
        &self.devices[self.rank()]
    }
}

impl Collective for Gpus {
    fn name(&self) -> String {
        match self.connected {
            true => "GPUs that are connected".to_owned(),
            false => "devices of one process".to_owned(),
        }
    }

    fn rank(&self) -> usize {
        self.sockets.rank()
    }

    fn ranks(&self) -> usize {
        self.sockets.ranks()
    }

    fn exchange(
        &self,
        sent: &[&[u8]],
        received: &mut [&mut [u8]],
    ) -> std::result::Result<(), LostRank> {
        self.sockets.exchange(sent, received)
    }

    fn connected_gpus(&self) -> Option<&[Device]> {
        self.connected.then_some(&self.devices)
    }

    fn leave(&self, reason: &str) {
        self.sockets.leave(reason);
    }
}
