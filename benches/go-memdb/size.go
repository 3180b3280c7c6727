package main

import "math/bits"

// What a task takes in protobuf's encoding, whose field numbers are all taken to fit one byte: a
// batch adds it up to know when it has enough.

func (of *task) size() int {
	size := sizeOfText(of.id) + sizeOfPart(of.meta.size()) + sizeOfPart(of.spec.size())
	if of.specVersion != nil {
		size += sizeOfPart(sizeOfNumber(of.specVersion.index))
	}
	size += sizeOfText(of.serviceID) + sizeOfNumber(of.slot) + sizeOfText(of.nodeID)
	size += sizeOfPart(of.annotations.size()) + sizeOfPart(of.serviceAnnotations.size())
	size += sizeOfPart(of.status.size()) + sizeOfNumber(uint64(of.desiredState))
	for _, one := range of.networks {
		size += sizeOfPart(one.size())
	}
	if of.logDriver != nil {
		size += sizeOfPart(of.logDriver.size())
	}
	if of.jobIteration != nil {
		size += sizeOfPart(sizeOfNumber(of.jobIteration.index))
	}
	for _, one := range of.volumes {
		size += sizeOfPart(sizeOfText(one.id) + sizeOfText(one.source) + sizeOfText(one.target))
	}
	return size
}

func (of *meta) size() int {
	size := sizeOfPart(sizeOfNumber(of.version.index))
	return size + sizeOfTime(of.createdAt) + sizeOfTime(of.updatedAt)
}

func (of *annotations) size() int {
	size := sizeOfText(of.name) + sizeOfMap(of.labels)
	for _, one := range of.indices {
		size += sizeOfPart(sizeOfText(one.key) + sizeOfText(one.value))
	}
	return size
}

func (of *driver) size() int { return sizeOfText(of.name) + sizeOfMap(of.options) }

func (of *taskSpec) size() int {
	size := sizeOfNumber(of.forceUpdate)
	if of, is := of.runtime.(*containerRuntime); is {
		size += sizeOfPart(of.container.size())
	}
	if of.logDriver != nil {
		size += sizeOfPart(of.logDriver.size())
	}
	for _, one := range of.networks {
		part := sizeOfText(one.target) + sizeOfTexts(one.aliases)
		size += sizeOfPart(part + sizeOfTexts(one.addresses) + sizeOfMap(one.options))
	}
	return size
}

func (of *containerSpec) size() int {
	size := sizeOfMap(of.labels) + sizeOfMap(of.sysctls)
	for _, text := range []string{of.image, of.hostname, of.folder, of.user, of.stopSignal} {
		size += sizeOfText(text)
	}
	size += sizeOfTexts(of.command) + sizeOfTexts(of.args) + sizeOfTexts(of.env)
	size += sizeOfTexts(of.groups) + sizeOfTexts(of.hosts)
	size += sizeOfTexts(of.capabilityAdd) + sizeOfTexts(of.capabilityDrop)
	for _, flag := range []bool{of.tty, of.openStdin, of.readOnly} {
		size += sizeOfFlag(flag)
	}
	for _, one := range of.secrets {
		part := sizeOfText(one.secretID) + sizeOfText(one.secretName)
		size += sizeOfPart(part + sizeOfTarget(one.target))
	}
	for _, one := range of.configs {
		part := sizeOfText(one.configID) + sizeOfText(one.configName)
		size += sizeOfPart(part + sizeOfTarget(one.target))
	}
	size += sizeOfNumber(uint64(of.isolation)) + sizeOfNumber(uint64(of.processesMax))
	return size + sizeOfNumber(uint64(of.outOfMemoryAdjust))
}

func sizeOfTarget(of referenceTarget) int {
	if of, is := of.(*fileReference); is {
		file := of.file
		size := sizeOfText(file.name) + sizeOfText(file.user) + sizeOfText(file.group)
		return sizeOfPart(size + sizeOfNumber(uint64(file.mode)))
	}
	return 0
}

func (of *taskStatus) size() int {
	size := sizeOfTime(of.timestamp) + sizeOfNumber(uint64(of.state))
	size += sizeOfText(of.message) + sizeOfText(of.err)
	if of, is := of.runtime.(*containerStatusOf); is {
		part := sizeOfText(of.container.containerID) + sizeOfNumber(uint64(of.container.pid))
		size += sizeOfPart(part + sizeOfNumber(uint64(of.container.exitCode)))
	}
	return size + sizeOfText(of.appliedBy) + sizeOfTime(of.appliedAt)
}

func (of *networkAttachment) size() int {
	size := sizeOfPart(of.network.size()) + sizeOfTexts(of.addresses)
	return size + sizeOfTexts(of.aliases) + sizeOfMap(of.options)
}

func sizeOfTime(of *timestamp) int {
	if of == nil {
		return 0
	}
	return sizeOfPart(sizeOfNumber(uint64(of.seconds)) + sizeOfNumber(uint64(of.nanos)))
}

func sizeOfTexts(of []string) int {
	size := 0
	for _, one := range of {
		size += sizeOfPart(len(one))
	}
	return size
}

func sizeOfMap(of map[string]string) int {
	size := 0
	for key, value := range of {
		size += sizeOfPart(sizeOfPart(len(key)) + sizeOfPart(len(value)))
	}
	return size
}

// sizeOfText is that of a field, which is left out if the text is empty.
func sizeOfText(of string) int {
	if of == "" {
		return 0
	}
	return sizeOfPart(len(of))
}

func sizeOfFlag(of bool) int {
	if of {
		return 2
	}
	return 0
}

func sizeOfNumber(of uint64) int {
	if of == 0 {
		return 0
	}
	return 1 + sizeOfVarint(of)
}

// sizeOfPart is that of a field of so many bytes, with its number and its length.
func sizeOfPart(bytes int) int { return 1 + sizeOfVarint(uint64(bytes)) + bytes }

func sizeOfVarint(of uint64) int { return (bits.Len64(of|1) + 6) / 7 }
