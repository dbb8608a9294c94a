# SPDX-License-Identifier: Apache-2.0
"""`ros2 bag`: arguments for rosbag2_py."""

from __future__ import annotations

import argparse
import datetime
import os
from typing import Any

import rosbag2_py
import yaml
from rclpy.duration import Duration
from rclpy.qos import (
    QoSDurabilityPolicy,
    QoSHistoryPolicy,
    QoSLivelinessPolicy,
    QoSProfile,
    QoSReliabilityPolicy,
)

_POLICIES: dict[str, Any] = {
    "history": QoSHistoryPolicy,
    "reliability": QoSReliabilityPolicy,
    "durability": QoSDurabilityPolicy,
    "liveliness": QoSLivelinessPolicy,
}


def _error(text: str) -> str:
    return f"[ERROR] [ros2bag]: {text}"


def _path(text: str) -> str:
    if not os.path.exists(text):
        raise argparse.ArgumentTypeError(f"Bag path '{text}' does not exist!")
    return text


def _number(kind: type, low: float, exclusive: bool = False) -> Any:
    def convert(text: str) -> Any:
        value = kind(text)
        if value < low or (exclusive and value == low):
            raise argparse.ArgumentTypeError(f"{text} is not in the valid range ({'>' if exclusive else '>='} {low})")
        return value

    convert.__name__ = kind.__name__
    return convert


def _service_events(services: list[str] | None) -> list[str]:
    return [f"{service}/_service_event" for service in services or []]


def _qos_overrides(path: str | None) -> dict[str, QoSProfile]:
    """Profiles by topic from a YAML file.

    Raises:
        RuntimeError: The file has something that is no policy or no value of one.
    """
    if path is None:
        return {}

    def value_of(key: str, value: Any) -> Any:
        if key in _POLICIES:
            return _POLICIES[key][value.upper()]
        if key in ("deadline", "lifespan", "liveliness_lease_duration"):
            return Duration(seconds=value["sec"], nanoseconds=value["nsec"])
        if key not in ("depth", "avoid_ros_namespace_conventions"):
            raise ValueError(f"Unexpected key `{key}` for QoS profile.")
        return value

    try:
        with open(path, encoding="utf-8") as file:
            topics = yaml.safe_load(file)
        return {
            topic: QoSProfile(**{key: value_of(key, value) for key, value in profile.items()})
            for topic, profile in topics.items()
        }
    except (ValueError, KeyError, TypeError) as exc:
        raise RuntimeError(_error(str(exc))) from exc


def _record(args: argparse.Namespace) -> str | None:
    uri = args.output or datetime.datetime.now().strftime("rosbag2_%Y_%m_%d-%H_%M_%S")
    topics = args.topics_positional or args.topics
    everything = args.all or args.all_topics or args.all_services
    if not (everything or args.services or topics or args.topic_types or args.regex):
        return _error(
            "Need to specify at least one option out of --all, --all-topics, --all-services, --services, --topics, "
            "--topic-types or --regex"
        )
    if os.path.isdir(uri):
        return _error(f"Output folder '{uri}' already exists.")
    if args.use_sim_time and args.no_discovery:
        return _error(
            "--use-sim-time and --no-discovery both set, but are incompatible settings. The /clock topic needs to be "
            "discovered to record with sim time."
        )
    if args.compression_format and args.compression_mode == "none":
        return _error("Invalid choice: Cannot specify compression format without a compression mode.")
    storage = rosbag2_py.StorageOptions(
        uri=uri,
        storage_id=args.storage,
        max_bagfile_size=args.max_bag_size,
        max_bagfile_duration=args.max_bag_duration,
        max_cache_size=args.max_cache_size,
        storage_preset_profile=args.storage_preset_profile,
        storage_config_uri=args.storage_config_file or "",
        custom_data=dict(pair.split("=", 1) for pair in args.custom_data),
    )
    options = rosbag2_py.RecordOptions()
    for name in _RECORD_OPTIONS:
        setattr(options, name, getattr(args, name))
    options.topics = topics
    options.all_topics = args.all or args.all_topics
    options.all_services = args.all or args.all_services
    options.is_discovery_disabled = args.no_discovery
    options.services = _service_events(args.services)
    options.exclude_service_events = _service_events(args.exclude_services)
    options.topic_polling_interval = datetime.timedelta(milliseconds=args.polling_interval)
    options.node_prefix = "_ros2cli"
    options.compression_mode = args.compression_mode.upper()
    options.topic_qos_profile_overrides = _qos_overrides(args.qos_profile_overrides_path)
    try:
        rosbag2_py.Recorder(args.log_level).record(storage, options, args.node_name)
    except KeyboardInterrupt:
        pass
    return None


_RECORD_OPTIONS = (
    "topic_types",
    "exclude_topics",
    "exclude_topic_types",
    "regex",
    "exclude_regex",
    "compression_format",
    "compression_queue_size",
    "compression_threads",
    "include_hidden_topics",
    "include_unpublished_topics",
    "ignore_leaf_topics",
    "start_paused",
    "use_sim_time",
    "disable_keyboard_controls",
)


def _play(args: argparse.Namespace) -> None:
    options = rosbag2_py.PlayOptions()
    for name in _PLAY_OPTIONS:
        setattr(options, name, getattr(args, name))
    options.node_prefix = "_ros2cli"
    options.topics_to_filter = args.topics
    options.services_to_filter = _service_events(args.services)
    options.regex_to_filter = args.regex
    options.exclude_regex_to_filter = args.exclude_regex
    options.exclude_topics_to_filter = [*args.exclude_topics, *(["/clock"] if args.clock > 0 else [])]
    options.exclude_service_events_to_filter = _service_events(args.exclude_services)
    options.topic_qos_profile_overrides = _qos_overrides(args.qos_profile_overrides_path)
    options.topic_remapping_options = ["--ros-args", *(part for rule in args.remap for part in ("--remap", rule))]
    options.clock_publish_frequency = float(args.clock)
    options.clock_publish_on_topic_publish = args.clock_topics_all or bool(args.clock_topics)
    options.playback_until_timestamp = (
        int(args.playback_until_sec * 1e9) if args.playback_until_sec >= 0 else args.playback_until_nsec
    )
    options.wait_acked_timeout = args.wait_for_all_acked
    try:
        rosbag2_py.Player(args.log_level).play(
            rosbag2_py.StorageOptions(uri=args.bag_path, storage_id=args.storage), options
        )
    except KeyboardInterrupt:
        pass


_PLAY_OPTIONS = (
    "read_ahead_queue_size",
    "rate",
    "loop",
    "clock_topics",
    "delay",
    "playback_duration",
    "disable_keyboard_controls",
    "start_paused",
    "start_offset",
)


def _info(args: argparse.Namespace) -> None:
    if args.verbose:
        rosbag2_py.Info().read_metadata_and_output_service_verbose(args.bag_path, args.storage)
        return
    metadata = rosbag2_py.Info().read_metadata(args.bag_path, args.storage)
    if not args.topic_name:
        print(metadata)
        return
    for topic in metadata.topics_with_message_count:
        if not topic.topic_metadata.name.endswith("/_service_event"):
            print(topic.topic_metadata.name)


def _convert(args: argparse.Namespace) -> None:
    inputs = []
    for uri, *storage_id in args.input:
        if len(storage_id) > 1:
            raise RuntimeError(f"--input expects 1 or 2 arguments, {1 + len(storage_id)} provided")
        inputs.append(rosbag2_py.StorageOptions(uri=uri, storage_id="".join(storage_id)))
    rosbag2_py.bag_rewrite(inputs, args.output_options)


def _reindex(args: argparse.Namespace) -> str | None:
    if not os.path.isdir(args.bag_path):
        return _error("Must specify a bag directory")
    rosbag2_py.Reindexer().reindex(rosbag2_py.StorageOptions(uri=args.bag_path, storage_id=args.storage))
    return None


def _flags(parser: argparse.ArgumentParser, **flags: str) -> None:
    for name, text in flags.items():
        short, _, text = text.rpartition("|")
        parser.add_argument(*([short] if short else []), f"--{name.replace('_', '-')}", action="store_true", help=text)


def _lists(parser: Any, **lists: str) -> None:
    for name, text in lists.items():
        parser.add_argument(f"--{name.replace('_', '-')}", nargs="+", default=[], help=text)


def _record_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("-o", "--output", help="Destination of the bagfile to create, defaults to a timestamped folder")
    add("-s", "--storage", default=rosbag2_py.get_default_storage_id(), choices=rosbag2_py.get_registered_writers())
    group = parser.add_mutually_exclusive_group()
    group.add_argument("topics_positional", metavar="[Topic ...]", nargs="*", default=[], help="Topics (deprecated)")
    _lists(group, topics="Topics to record")
    _lists(
        parser,
        services="Services to record",
        topic_types="Topic types to record",
        exclude_topics="Topics not to record",
        exclude_topic_types="Topic types not to record",
        exclude_services="Services not to record",
        custom_data="key=value pairs for the metadata",
    )
    _flags(
        parser,
        all="-a|Record all topics and services (exclude hidden topics)",
        all_topics="Record all topics (exclude hidden topics)",
        all_services="Record all services via service event topics",
        include_unpublished_topics="Record topics which have no publisher",
        include_hidden_topics="Record hidden topics as well",
        no_discovery="Record only topics present at startup",
        ignore_leaf_topics="Ignore topics without a subscription",
        start_paused="Start the recorder in a paused state",
        use_sim_time="Use simulation time for message timestamps",
        disable_keyboard_controls="Disable keyboard controls",
    )
    add("-e", "--regex", default="", help="Record only topics and services containing the regular expression")
    add("--exclude-regex", default="", help="Exclude topics and services containing the regular expression")
    add("-p", "--polling-interval", type=int, default=100, help="Time in ms between queries of available topics")
    add("--qos-profile-overrides-path", type=_path, help="YAML file of QoS profiles by topic")
    add("-b", "--max-bag-size", type=int, default=0, help="Bytes before the bagfile is split; 0 does not split")
    add("-d", "--max-bag-duration", type=int, default=0, help="Seconds before the bagfile is split; 0 does not split")
    add("--max-cache-size", type=int, default=100 * 1024 * 1024, help="Bytes held in each buffer of the cache")
    add("--storage-preset-profile", default="none", help="Preset configuration of the storage")
    add("--storage-config-file", type=_path, help="YAML file with settings of the storage")
    add("--compression-mode", default="none", choices=["none", "file", "message"])
    add("--compression-format", default="", choices=rosbag2_py.get_registered_compressors())
    add("--compression-queue-size", type=int, default=1)
    add("--compression-threads", type=int, default=0)
    add("--node-name", default="rosbag2_recorder", help="Name of the recorder's node")


def _play_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--read-ahead-queue-size", type=int, default=1000, help="Messages held in memory")
    add("-r", "--rate", type=_number(float, 0.0, exclusive=True), default=1.0, help="Rate of play back")
    _lists(
        parser,
        topics="Topics to play",
        services="Services to play",
        exclude_topics="Topics not to play",
        exclude_services="Services not to play",
    )
    add("-m", "--remap", nargs="+", default=[], help="Topics to be remapped: old:=new ...")
    add("-e", "--regex", default="", help="Play only topics and services that match")
    add("-x", "--exclude-regex", default="", help="Topics and services not to play")
    add("--qos-profile-overrides-path", type=_path, help="YAML file of QoS profiles by topic")
    clock = parser.add_mutually_exclusive_group()
    clock.add_argument("--clock", type=float, nargs="?", const=40.0, default=0.0, help="Publish /clock at this rate")
    _lists(clock, clock_topics="Topics whose messages update /clock")
    clock.add_argument("--clock-topics-all", action="store_true", help="Update /clock before each message")
    add("-d", "--delay", type=_number(float, 0.0), default=0.0, help="Seconds to sleep before play")
    add("--start-offset", type=_number(float, 0.0), default=0.0, help="Seconds into the bag to start at")
    add("--playback-duration", type=float, default=-1.0, help="Seconds to play; negative plays to the end")
    until = parser.add_mutually_exclusive_group()
    until.add_argument("--playback-until-sec", type=float, default=-1.0, help="Stamp to play until [s]")
    until.add_argument("--playback-until-nsec", type=int, default=-1, help="Stamp to play until [ns]")
    add("--wait-for-all-acked", type=_number(int, 0), default=-1, metavar="TIMEOUT", help="Milliseconds; 0 for ever")
    _flags(
        parser,
        loop="-l|Start again at the end",
        start_paused="-p|Start in a paused state",
        disable_keyboard_controls="Disable keyboard controls",
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verbs."""
    verbs = parser.add_subparsers(title="Commands", metavar="<verb>")
    for name, text, main in (
        ("record", "Record ROS data to a bag", _record),
        ("play", "Play back ROS data from a bag", _play),
        ("info", "Print information about a bag to the screen", _info),
        ("convert", "Given an input bag, write out a new bag with different settings", _convert),
        ("reindex", "Reconstruct metadata file for a bag", _reindex),
    ):
        verb = verbs.add_parser(name, help=text, description=text)
        verb.set_defaults(main=main)
        if name in ("play", "info", "reindex"):
            verb.add_argument("bag_path", type=_path, help="Bag to open")
            verb.add_argument("-s", "--storage", default="", choices=["", *sorted(rosbag2_py.get_registered_readers())])
        if name in ("record", "play"):
            verb.add_argument("--log-level", default="info", choices=["debug", "info", "warn", "error", "fatal"])
        if name == "record":
            _record_arguments(verb)
        elif name == "play":
            _play_arguments(verb)
        elif name == "info":
            verb.add_argument("-t", "--topic-name", action="store_true", help="Only display topic names.")
            verb.add_argument("-v", "--verbose", action="store_true", help="Display information on services")
        elif name == "convert":
            verb.add_argument("-i", "--input", required=True, action="append", nargs="+", metavar="uri [storage_id]")
            verb.add_argument("-o", "--output-options", required=True, help="YAML file with options for output bags")
