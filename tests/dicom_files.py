"""Makes DICOM files of a patient who must not be found anywhere else."""

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

PATIENT = dict(
    PatientName='Zyxwer^Quentin',
    PatientID='QZ-471108',
    PatientBirthDate='19370229',
    InstitutionName='Saint Nowhere',
    ReferringPhysicianName='Doc^Unheard',
)


def write_dicom(path, pixels, **elements):
    """A DICOM file of a patient; elements replace or add to those of a grey image."""
    found = Dataset()
    found.file_meta = FileMetaDataset()
    found.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    found.SOPClassUID = pydicom.uid.UltrasoundImageStorage
    found.SOPInstanceUID = '1.2.3'
    found.SamplesPerPixel = 1
    found.PhotometricInterpretation = 'MONOCHROME2'
    found.Rows, found.Columns = pixels.shape[:2]
    found.BitsAllocated = found.BitsStored = 8 * pixels.dtype.itemsize
    found.HighBit = found.BitsStored - 1
    found.PixelRepresentation = int(pixels.dtype.kind == 'i')
    found.PixelData = pixels.tobytes()
    for key, value in {**PATIENT, **elements}.items():
        setattr(found, key, value)
    found.save_as(path, enforce_file_format=True)
    return path
