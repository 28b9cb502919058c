package io.lindorm.flink.source;

import org.apache.flink.api.connector.source.SourceEvent;

import java.util.List;

/**
 * What a reader tells the enumerator.
 *
 * @param started true for the first event of a reader: it holds exactly these splits, from its
 *     checkpoint; false: it has read these splits to their end
 * @param splitIds the splits
 */
record SplitEvent(boolean started, List<String> splitIds) implements SourceEvent {}
