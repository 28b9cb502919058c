package io.lindorm.flink.files;

/**
 * Some items as lines of a file, on their way from those who read to those who write. Public and with public fields
 * because Flink's serializer wants it so.
 */
public final class ItemLines {

    /** How many lines there are. */
    public int items;

    /** {@code {"Item":{…}}} and a newline each, in UTF-8. */
    public byte[] json;

    /** For Flink's serializer. */
    public ItemLines() {}

    /** Makes lines; the array is not copied. */
    public ItemLines(int items, byte[] json) {
        this.items = items;
        this.json = json;
    }
}
