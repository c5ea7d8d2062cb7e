// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

/**
 * One class that an image may belong to.
 *
 * @param classIndex the class, from 0
 * @param className its name
 * @param probability of 0 to 1
 */
public record Prediction(int classIndex, String className, double probability) {}
