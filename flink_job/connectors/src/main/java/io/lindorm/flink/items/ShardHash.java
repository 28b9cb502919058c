package io.lindorm.flink.items;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.List;

/**
 * Which shard a row belongs to: a hash of its whole source key, so that writing a row again writes the
 * same item, and rows that share a partition key still spread.
 *
 * <p>SHA-256 over, for each column of the primary key in its order, the length of the column's canonical
 * bytes ({@link Values#canonical}) as four bytes, big-endian, and then those bytes. The first eight bytes
 * of the digest, big-endian and unsigned, modulo the number of shards.
 */
final class ShardHash {

    private final MessageDigest sha256;

    ShardHash() {
        try {
            sha256 = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }

    /**
     * @param key the canonical bytes of each key column
     * @param shards how many shards there are
     * @return a number from 0 to {@code shards - 1}
     */
    int shard(List<byte[]> key, int shards) {
        for (byte[] column : key) {
            sha256.update(ByteBuffer.allocate(4).putInt(0, column.length).array());
            sha256.update(column);
        }
        return (int) Long.remainderUnsigned(ByteBuffer.wrap(sha256.digest()).getLong(), shards);
    }
}
