# SPDX-License-Identifier: Apache-2.0
"""What is in a bag, and metadata for one that lacks it."""

import re
from pathlib import Path

from rclpy.duration import Duration
from rclpy.time import Time

from rosbag2_py._metadata import MetadataIo
from rosbag2_py._reader import open_storage
from rosbag2_py._storage import BagMetadata, FileInformation, StorageOptions, TopicInformation

_FILE_NAME = re.compile(r".+_(\d+)\.[a-zA-Z0-9]+")


class Info:
    """Looks at bags."""

    def read_metadata(self, uri: str, storage_id: str) -> BagMetadata:
        """Metadata of a folder or file.

        Raises:
            RuntimeError: there is no bag.
        """
        if not Path(uri).exists():
            raise RuntimeError(f"Bag path {uri} does not exist.")
        if MetadataIo().metadata_file_exists(uri):
            return MetadataIo().read_metadata(uri)
        if Path(uri).is_dir():
            raise RuntimeError(f"Could not find metadata in bag directory {uri}")
        storage = open_storage(uri, storage_id)
        if storage is None:
            raise RuntimeError(f"No plugin detected that could open file {uri}")
        metadata = storage.metadata()
        storage.close()
        return metadata

    def read_metadata_and_output_service_verbose(self, uri: str, storage_id: str) -> None:
        """Left out."""
        raise NotImplementedError("rosbag2_cpp: statistics of service events")


class Reindexer:
    """Writes metadata.yaml anew from the files."""

    def reindex(self, storage_options: StorageOptions) -> None:
        """Restore the metadata of a folder.

        Raises:
            RuntimeError: the folder has no files named like a bag's, or one of them is none.
        """
        folder = Path(storage_options.uri)
        numbered = [(int(found[1]), path) for path in folder.iterdir() if (found := _FILE_NAME.fullmatch(path.name))]
        if not numbered:
            raise RuntimeError("No storage files found for reindexing. Abort")
        result = BagMetadata(storage_identifier=storage_options.storage_id)
        topics: dict[str, TopicInformation] = {}
        start, end = 2**63 - 1, 0
        for _, path in sorted(numbered):
            storage = open_storage(str(path), storage_options.storage_id)
            if storage is None:
                raise RuntimeError("No storage could be initialized from the inputs.")
            one = storage.metadata()
            storage.close()
            result.storage_identifier = one.storage_identifier
            result.custom_data = one.custom_data or result.custom_data
            result.ros_distro = one.ros_distro or result.ros_distro
            result.compression_format, result.compression_mode = one.compression_format, one.compression_mode
            result.message_count += one.message_count
            result.relative_file_paths.append(path.name)
            result.files.append(FileInformation(path.name, one.starting_time, one.duration, one.message_count))
            if one.message_count:
                start = min(start, one.starting_time.nanoseconds)
                end = max(end, one.starting_time.nanoseconds + one.duration.nanoseconds)
            for info in one.topics_with_message_count:
                known = topics.setdefault(info.topic_metadata.name, info)
                if known is not info:
                    known.message_count += info.message_count
        result.starting_time = Time(nanoseconds=start)
        result.duration = Duration(nanoseconds=max(end - start, 0))
        result.topics_with_message_count = [topics[name] for name in sorted(topics)]
        MetadataIo().write_metadata(str(folder), result)
